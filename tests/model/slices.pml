/* The mutator's part of a collection: slices at its handshake points and polls. */

#define destination(o) (has(marked_to_outer, o) -> Outer : Root)

inline forget_scratch() { i = 0; target = 0 }

/* The set is every region that waits (P2), and fixed from here on. */
inline start() {
    d_step {
        i = 1;
        do
        :: i < Objects ->
            if
            :: waits(i) -> set = set | bit(i)
            :: else
            fi;
            i++
        :: else -> break
        od;
        i = Outer;
        do
        :: i <= Inner ->
            if
            :: state[i] == Waiting -> state[i] = Collected; to_walk = to_walk | incoming[i]
            :: else
            fi;
            i++
        :: else -> break
        od;
        begin_roots()
    }
}

inline begin_roots() {
#ifdef DETACHED
    if
    :: where[d] == Parked && forgotten -> field[d] = Nil; to_walk = to_walk & ~bit(d)
    :: else
    fi;
#endif
#ifndef BREAK_P7
    to_walk = to_walk & ~set;
#endif
    shades = kept & set;
    kept = kept & ~set;
    handle_walked = (handle == Nil);
    c_code { now.expected = to_mark(); };
    stage = Roots;
    i = 0
}

/* Pressure: an open scope and the open one inside, in a poll, since raw pointers into it are good until then. */
inline start_open() {
    d_step {
        i = 1;
        do
        :: i < Objects ->
            if
            :: where[i] == Outer || (where[i] == Inner && inner_in_outer) -> set = set | bit(i)
            :: else
            fi;
            i++
        :: else -> break
        od;
        to_walk = incoming[Outer];
        if
        :: is_open(Inner) && inner_in_outer -> to_walk = to_walk | incoming[Inner]; under_pressure = bit(Outer) | bit(Inner)
        :: else -> under_pressure = bit(Outer)
        fi;
        begin_roots()
    }
}

/* A slot that does not lead into the set is forgotten: it is recorded again if that changes. */
#define is_looked_at(region) (state[region] == Collected || has(under_pressure, region))
inline forget(s) {
    if
    :: is_looked_at(Outer) -> incoming[Outer] = incoming[Outer] & ~bit(s)
    :: else
    fi;
    if
    :: is_looked_at(Ended) -> incoming[Ended] = incoming[Ended] & ~bit(s)
    :: else
    fi;
    if
    :: is_looked_at(Inner) -> incoming[Inner] = incoming[Inner] & ~bit(s)
    :: else
    fi
}

/* One slot, or the handle. Survivors go no further in than the scopes that enclose the ended one: a raw pointer into
 * it may have been loaded in any of those. */
inline walk() {
    if
    :: to_walk != 0 ->
        pick(i, to_walk);
        to_walk = to_walk & ~bit(i);
        target = field[i];
        look(i);
        if
        :: (lives(i) || where[i] == Parked) && target != Nil && has(set, target) ->
            if
#ifdef BREAK_DESTINATION
            :: where[i] == Inner -> to_inner = to_inner | bit(target); to_outer = to_outer | bit(target)
#endif
            :: where[target] == Ended && is_open(Outer) && (where[i] == Outer || (where[i] == Inner && inner_in_outer)) ->
                to_outer = to_outer | bit(target)
            :: else -> to_root = to_root | bit(target)
            fi
#ifdef BREAK_KEPT
            ;
            forget(i)
#endif
        :: else ->
            if
#ifndef BREAK_TOLD
            :: has(told, i) -> skip  /* in another list by now */
#endif
            :: else -> forget(i)
            fi
        fi
    :: else ->
        handle_walked = true;
        if
        :: handle != Nil && has(set, handle) ->
            held = held | bit(handle);
            if
            :: where[handle] == Ended && is_open(Outer) -> to_outer = to_outer | bit(handle)
            :: else -> to_root = to_root | bit(handle)
            fi
        :: else
        fi
    fi;
    if
    :: to_walk == 0 && handle_walked ->
        unpark();
        mark = to_root;
        grey = to_root;
        group = 0;
        told = 0;
        stage = Marking
    :: else
    fi;
    forget_scratch()
}

inline unpark() {
    if
    :: where[d] == Parked && state[Outer] != Waiting && state[Ended] != Waiting -> where[d] = Pool
    :: else
    fi
}

/* The answer to the collector: marking ends when neither side has a shade left. */
inline answer() {
    if
    :: stage == Marking -> handed = handed | shades; shades = 0
    :: stage == Finishing ->
        if
#ifdef BREAK_HANDED
        :: shades != 0 -> handed = handed | shades; shades = 0; stage = Marking
#else
        :: (shades | handed) != 0 -> handed = handed | shades; shades = 0; stage = Marking
#endif
        :: else ->
            stage = Sweeping;
#ifdef HOLES
            assert((mark & dead) == 0);
#endif
            assert(expected == -1 || mark == expected || !exact)  /* neither more nor less than it has to */
        fi
    :: else
    fi
}

/* Weak handles to the dead are cleared; what was recorded so far is listed under the spans that will be evacuated. */
inline clear_weak() {
    d_step {
        if
        :: weak != Nil && has(set, weak) && !has(mark, weak) -> weak = Nil
        :: else
        fi;
#ifndef BREAK_LISTED
        i = 1;
        do
        :: i < Objects ->
            if
            :: has(incoming[Outer] | incoming[Ended] | incoming[Inner], i) && lives(i) && field[i] != Nil -> list(i, field[i])
            :: else
            fi;
            i++
        :: else -> break
        od;
#endif
        stage = Settling;
        i = 0
    }
}

/* The destination is tested for being open together with the flip (P15). If it has ended, the collector's candidates
 * were found for another one: the span's slots are all looked at. */
inline flip(o, to) {
#ifdef PRESSURE
    to = where[o];
#else
    to = destination(o);
#ifdef BREAK_DESTINATION
    if
    :: has(to_inner, o) && is_open(Inner) -> to = Inner; candidates = candidates | bit(o)
    :: else
    fi;
#endif
    if
#ifndef BREAK_P15
#ifdef BREAK_FLIP_LOOKS
    :: to == Outer && !is_open(Outer) -> to = Root
#else
    :: to == Outer && !is_open(Outer) -> to = Root; candidates = candidates | bit(o)
#endif
#endif
    :: else
    fi;
#endif
    set = set & ~bit(o);
    evacuate = evacuate & ~bit(o)
}

inline adopt(o) {
    flip(o, target);
    where[o] = target;
    if
#ifndef BREAK_P14
    :: has(candidates, o) && field[o] != Nil -> record(o, field[o])  /* P14 */
#endif
    :: else
    fi
}

/* In a poll only. Handles that were made since the walk hold the span too (P17). */
inline evacuate_span(o) {
    if
#ifndef BREAK_P17
    :: has(held, o) -> adopt(o)
#endif
    :: else ->
        flip(o, target);
        where[copy_of(o)] = target;
#ifdef BREAK_OWN_SPAN
        field[copy_of(o)] = field[o];
#endif
        i = 1;
        do
        :: i < Objects ->
            if
            :: has(listed[o - x], i) && (lives(i) || i == o) && field[i] == o -> field[i] = copy_of(o)
            :: else
            fi;
            i++
        :: else -> break
        od;
#ifndef BREAK_OWN_SPAN
        field[copy_of(o)] = field[o];  /* forwarded, if it names its own span */
#endif
        if
#ifndef BREAK_WEAK_FIXED
        :: weak == o -> weak = copy_of(o)
#endif
        :: else
        fi;
        where[o] = Moved;
        if
#ifndef BREAK_P18
        :: field[copy_of(o)] != Nil -> record(copy_of(o), field[copy_of(o)])  /* P18 */
#endif
        :: else
        fi;
        unreached(bit(o))  /* none is left unforwarded */
    fi
}

/* Adopts a span, or in a poll evacuates it; a span that gets no poll in time is adopted. */
inline settle(may_move) {
    if
    :: (set & mark) != 0 ->
        pick(o, set & mark);
#ifdef HOLES
        if
        :: leaves_dead = true
        :: leaves_dead = false
        fi;
#endif
        d_step {
            if
            :: may_move && has(evacuate, o) -> evacuate_span(o)
            :: else ->
                adopt(o);
#ifdef HOLES
                adopt_dead(o, leaves_dead)
#endif
            fi;
            forget_scratch();
            o = 0
        }
    :: else -> stage = Slots
    fi
}

/* Its memory goes back. */
inline free(o) {
    where[o] = Pool;
#ifdef HOLES
    dead = dead & ~bit(o);
#endif
#ifndef BREAK_POOL
    field[o] = Nil
#endif
}

inline give_back() {
    unreached(set);
    i = 1;
    do
    :: i < Objects ->
        if
        :: has(set, i) || where[i] == Moved ->
            assert(!has(shades | kept, i));  /* P13 */
            free(i)
        :: else
        fi;
        i++
    :: else -> break
    od;
    i = Outer;
    do
    :: i <= Inner ->
        if
        :: state[i] == Collected -> state[i] = Gone
        :: state[i] == Closing -> state[i] = Waiting;
#ifndef BREAK_P6_POLL
            next_in_poll = true
#endif

        :: else
        fi;
        i++
    :: else -> break
    od;
    set = 0; to_walk = 0; to_root = 0; to_outer = 0; mark = 0; marked_to_outer = 0; group = 0; held = 0;
    evacuate = 0; candidates = 0; listed[0] = 0; listed[1] = 0; expected = 0; under_pressure = 0;
    handle_walked = false;
    stage = Idle;
    unpark();
    check_recorded()
}

/* The slots that were recorded for the set are recorded again for wherever their target is now (P16). Then the
 * memory of the dead goes back, inner scopes first: between two of them another scope may end. */
inline finish() {
    d_step {
        i = Outer;
        do
        :: i <= Inner ->
            if
            :: state[i] == Collected || has(under_pressure, i) -> to_walk = to_walk | incoming[i]; incoming[i] = 0
            :: else
            fi;
            i++
        :: else -> break
        od;
        i = 1;
        do
        :: i < Objects ->
            if
            :: has(to_walk, i) && lives(i) && field[i] != Nil && !(is_dead(i) && has(set, field[i])) ->
                look(i);
                assert(!has(set, field[i]));  /* what a live slot names has been marked */
#ifndef BREAK_P16
                record(i, field[i])
#endif
            :: else
            fi;
            i++
        :: else -> break
        od;
        target = 0;
        i = 1;
        do
        :: i < Objects ->
            if
            :: has(set, i) && where[i] == Ended -> target = target | bit(i)
            :: else
            fi;
            i++
        :: else -> break
        od;
        if
        :: target != 0 && target != set ->
            unreached(target);
            i = 1;
            do
            :: i < Objects ->
                if
                :: has(target, i) -> assert(!has(shades | kept, i)); free(i)
                :: else
                fi;
                i++
            :: else -> break
            od;
            set = set & ~target;
            state[Ended] = Gone;
            to_walk = 0;
            stage = Freeing
        :: else -> give_back()
        fi;
        forget_scratch()
    }
}

#define waiting (state[Outer] == Waiting || state[Ended] == Waiting || state[Inner] == Waiting)

/* A slice. What has to wait for a poll begins there only, and moves there only. */
inline slice(may_begin, may_move) {
    if
    :: stage == Idle && waiting && (may_begin || !next_in_poll) -> start(); next_in_poll = false
    :: stage == Roots -> walk()
    :: stage == Marking || stage == Finishing -> answer()
    :: stage == Weak -> clear_weak()
    :: stage == Settling -> settle(may_move)
    :: stage == Slots -> finish()
    :: stage == Freeing -> d_step { give_back(); forget_scratch() }
    :: else
    fi
}
