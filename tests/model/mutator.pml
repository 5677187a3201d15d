/* The program: a few operations, with polls and handshake points anywhere between them. */

#define small_is_lexical_in_outer (is_open(Inner) && inner_in_outer)

#ifdef PRESSURE
#define by_pressure true
#else
#define by_pressure false
#endif

/* law [raw]: a raw pointer dies with the scope of its object; an object whose scope has ended counts as one of the
 * innermost scope that was open when the pointer was obtained. */
inline point_at(o) {
    raw = o;
    if
    :: o == Nil -> raw_scope = Root
    :: o == d && where[d] == Inner -> raw_scope = Inner
    :: (o == e || where[o] == Outer && by_pressure) && is_open(Outer) -> raw_scope = Outer
    :: else ->
#ifndef DETACHED
        if
        :: is_open(Inner) -> raw_scope = Inner
        :: else ->
#endif
            raw_scope = (is_open(Outer) -> Outer : Root)
#ifndef DETACHED
        fi
#endif
    fi
}

inline end_raw(region) {
    if
    :: raw != Nil && raw_scope == region -> raw = Nil; raw_scope = Root
    :: else
    fi
}

inline reachable(o) {
    c_code { now.seen = reach(); };
    pick(o, seen);
    seen = 0
}

inline load() {
    reachable(o);
    if
    :: o != g -> point_at(o)
    :: else
    fi;
    o = 0
}

/* The handle is made, dropped or re-pointed. */
inline point_handle_at(v) {
    if
#ifndef BREAK_P9
    :: handle != Nil && (waits(handle) || (stage == Roots && !handle_walked)) -> shade(handle)  /* P9 */
#endif
    :: else
    fi;
    handle = v;
    handle_walked = (stage >= Roots);
    if
    :: v != Nil && condemned(v) ->
        held = held | bit(v);
        if
        :: stage == Roots -> shade(v)
        :: else
        fi
    :: else
    fi
}

/* From the end of marking on, an unmarked target reads as null; until then locking shades it (P12). */
inline lock() {
    if
#ifndef BREAK_P12
    :: stage >= Sweeping && has(set, weak) && !has(mark, weak) -> point_at(Nil)
#endif
#ifdef BREAK_P12_SHADE
    :: else -> point_at(weak)
#else
    :: else -> shade(weak); point_at(weak)
#endif
    fi;
    assert(raw == Nil || where[raw] < Pool)
}

/* A span is handed out: its generation changes, so what was recorded of it is stale (law [stale], P20). */
inline hand_out(o) {
    forget_records(o);
    field[o] = Nil
}

inline begin_inner() {
    hand_out(d);
    where[d] = Inner;
    state[Inner] = Open;
#ifndef DETACHED
    inner_in_outer = is_open(Outer);
#endif
#ifdef PRESSURE
    raw = d;
    raw_scope = Inner
#endif
}

/* A raw pointer that was loaded from a detached scope outlives it, and what it names may have been named by a slot of
 * that scope only: such slots stay until they are walked (law [park]). One that was loaded in a lexical scope dies with
 * it; what was stored since then is shaded by record(). */
inline release_inner() {
    unreached(bit(d));
    assert(handle != d && weak != d);
#ifdef BREAK_DESTINATION
    c_code { now.seen = reach(); };
    i = x;
    do
    :: i <= y ->
        if
        :: where[i] == Inner -> assert(!has(seen, i))
        :: else
        fi;
        i++
    :: else -> break
    od;
    seen = 0;
#endif
#ifdef BREAK_P20
    hand_out(d);
#endif
    if
    :: (state[Ended] == Waiting && has(incoming[Ended], d)) || (state[Outer] == Waiting && has(incoming[Outer], d)) || has(to_walk, d) ->
#if defined DETACHED && !defined BREAK_PARK
        where[d] = Parked;
#ifdef BREAK_PARK_POLL
        forgotten = true
#else
        forgotten = false
#endif
#else
        where[d] = Pool
#endif
    :: else -> where[d] = Pool
    fi;
    state[Inner] = Gone;
    incoming[Inner] = 0;
    inner_in_outer = false
}

/* A parked scope is no referrer from the next poll on. */
inline note_poll() {
#ifdef DETACHED
    forgotten = (where[d] == Parked)
#else
    skip
#endif
}

inline end_inner() {
    state[Inner] = Gone;
    end_raw(Inner);
    if
    :: has(set, d) -> state[Inner] = Closing  /* P6 */
    :: else ->
        if
#ifdef BREAK_P22
        :: incoming[Inner] == 0 -> release_inner()
#else
        :: incoming[Inner] == 0 && handle != d && weak != d -> release_inner()  /* P22 */
#endif
        :: else -> promote()
        fi
    fi
}

/* Where nothing live names d, it is released; else d is copied into the outermost scope that does. A referrer in a
 * condemned region counts as the nearest open scope that encloses both (P15). */
inline promote() {
    target = Inner;
    i = 1;
    do
    :: i < Objects ->
        assert(!has(incoming[Inner], i) || !lives_at_end(i) || field[i] == Nil || where[field[i]] < Pool);
        if
        :: has(incoming[Inner], i) && i != d && lives_at_end(i) && field[i] == d ->
            if
            :: where[i] == Outer && is_open(Outer) && target != Root -> target = Outer
#ifdef BREAK_P15_REFERRER
            :: where[i] == Ended && target == Inner -> target = Ended
#endif
            :: where[i] == Ended && inner_in_outer && target != Root -> target = Outer
            :: else -> if :: target != Outer || where[i] != Ended || !inner_in_outer -> target = Root :: else fi
            fi
        :: else
        fi;
        i++
    :: else -> break
    od;
    if
    :: handle == d && inner_in_outer && target != Root -> target = Outer
    :: handle == d && !inner_in_outer -> target = Root
    :: else
    fi;
    if
    :: target == Inner ->
        if
        :: weak == d -> weak = Nil
        :: else
        fi
    :: else ->
        where[dc] = target;
#ifdef BREAK_P15_REFERRER
        if  /* it dies with the region that it was copied into */
        :: target == Ended && stage != Idle -> set = set | bit(dc)
        :: else
        fi;
#endif
        i = 1;
        do
        :: i < Objects ->
            if
            :: has(incoming[Inner], i) && lives(i) && field[i] == d -> 
                field[i] = dc;
#ifndef BREAK_FIXED_RECORDED
                record(i, dc)
#endif
            :: else
            fi;
            i++
        :: else -> break
        od;
        if
        :: field[d] == d -> field[d] = dc
        :: else
        fi;
        field[dc] = field[d];
        if
        :: handle == d -> handle = dc
        :: else
        fi;
        if
        :: weak == d -> weak = dc
        :: else
        fi;
        if
        :: field[dc] != Nil -> record(dc, field[dc])
        :: else
        fi
    fi;
    i = 0;
    target = 0;
    release_inner()
}

#ifdef BREAK_P2
/* Outer joins the set that is being marked, with roots of its own. */
inline join() {
    state[Outer] = Collected;
    i = 1;
    do
    :: i < Objects ->
        if
        :: where[i] == Outer -> set = set | bit(i)
        :: else
        fi;
        i++
    :: else -> break
    od;
    i = 1;
    do
    :: i < Objects ->
        if
        :: has(incoming[Outer], i) && lives(i) && !has(set, i) && field[i] != Nil -> shade(field[i])
        :: else
        fi;
        i++
    :: else -> break
    od;
    shade(handle);
    i = 0
}
#endif

inline end_outer() {
    end_raw(Outer);
    if
#ifndef BREAK_P6
    :: has(under_pressure, Outer) -> state[Outer] = Closing  /* P6 */
#endif
#ifdef BREAK_P2
    :: state[Ended] == Collected && (stage == Marking || stage == Finishing) -> join()
#endif
#ifndef BREAK_P3
    :: !has(under_pressure, Outer) && (state[Ended] == Waiting || state[Ended] == Collected) -> state[Outer] = Waiting  /* P3 */
#endif
    :: else ->
        if
        :: incoming[Outer] == 0 && (handle == Nil || where[handle] != Outer) && (weak == Nil || where[weak] != Outer) ->
            state[Outer] = Gone;
            seen = 0;
            i = 1;
            do
            :: i < Objects ->
                if
                :: where[i] == Outer -> target = target | bit(i)
                :: else
                fi;
                i++
            :: else -> break
            od;
            unreached(target);
            i = 1;
            do
            :: i < Objects ->
                if
                :: has(target, i) ->
                    where[i] = Pool; field[i] = Nil
#ifdef HOLES
                    ; dead = dead & ~bit(i)
#endif
                :: else
                fi;
                i++
            :: else -> break
            od;
            i = 0;
            target = 0
        :: else -> state[Outer] = Waiting
        fi
    fi
}

#ifdef BREAK_DESTINATION
#define may_end_inner (stage == Idle && state[Ended] == Gone && incoming[Inner] == 0)  /* a plain release */
#else
#define may_end_inner true
#endif

/* The write barrier: the old value is shaded, the new one recorded, and stored. It answers no handshake (P10). */
inline store(v) {
    atomic {
        disturb;
        reachable(o);
        if
        :: field[o] != Nil -> shade(field[o])
        :: else
        fi;
        new = v
    };
#ifdef BREAK_P10
    atomic { region = where[new] };
    do
    :: atomic { stage == Slots || stage == Settling || stage == Weak -> slice(false, false) }
    :: break
    od;
    atomic {
        if
        :: new != Nil && region != Root && !encloses(region, where[o]) -> incoming[region] = incoming[region] | bit(o)
        :: else
        fi;
        region = 0
    };
#else
    atomic { record(o, new) };
#endif
    atomic { field[o] = new; o = 0; new = 0 }
}

active proctype Mutator() {
    byte o, new, i;
#if defined BREAK_P10 || defined BREAK_NEW_EARLY
    byte region;
#endif
#ifdef ALLOCATION
    byte home_of_new;
#endif
#ifdef HOLES
    bool leaves_dead;
#endif
    short target;
    set_up();
end:
    do
    :: operations < OPERATIONS ->
        if
        :: atomic { disturb; load() }
        :: raw != Nil -> store(raw)
        :: store(Nil)
#ifdef HOLES
        :: atomic { where[y] == Pool && cut -> disturb; fill_hole() }
#endif
#ifdef WEAK
        :: atomic { raw != Nil && weak != raw -> disturb; weak = raw }
        :: atomic { weak != Nil -> disturb; lock() }
#endif
#ifdef HANDLES
        :: atomic { raw != Nil && handle != raw -> disturb; point_handle_at(raw) }
        :: atomic { handle != Nil -> disturb; point_handle_at(Nil) }
        :: atomic { raw != Nil && weak != raw -> disturb; weak = raw }
        :: atomic { weak != Nil -> disturb; lock() }
#endif
#ifdef INNER
        :: atomic { state[Inner] == Gone && where[d] == Pool -> disturb; begin_inner() }
        :: atomic { is_open(Inner) && where[dc] == Pool && may_end_inner -> disturb; d_step { end_inner() } }
#endif
        :: atomic { is_open(Outer) && !small_is_lexical_in_outer -> disturb; d_step { end_outer() } }
#ifdef ALLOCATION
        :: allocate()
#elif defined PRESSURE
        :: atomic { is_open(Outer) && where[dc] == Pool -> disturb; hand_out(dc); where[dc] = Outer; point_at(dc) }
#endif
        fi
    :: atomic { stage != Idle || waiting -> slice(false, false) }  /* a handshake point */
    :: atomic { raw = Nil; raw_scope = Root; note_poll(); slice(true, true) }  /* a poll */
#ifdef PRESSURE
    :: atomic { stage == Idle && is_open(Outer) && !collected_before -> collected_before = true; raw = Nil; raw_scope = Root; start_open() }
#endif
    od
}
