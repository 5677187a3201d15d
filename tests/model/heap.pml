/* What is in memory, and the laws.
 *
 * Regions: Root is open always. Outer is a scope in it, which may end. Ended was a scope in Outer; it has ended and is
 * condemned. Inner is a small scope that begins and ends meanwhile, in Outer where that is open, else in the root.
 * Objects have one slot each, and a span each; an object names its slot too. */
#define Root 0
#define Outer 1
#define Ended 2
#define Inner 3
#define Pool 4    /* where the memory of what was freed is */
#define Parked 5  /* of a released scope, while slots in it are still to be walked */
#define Moved 6   /* of what was evacuated, until the collection is done */

#define Nil 0
#define g 1   /* in the root */
#define e 2   /* in Outer */
#define d 3   /* in Inner */
#define x 4   /* in Ended (PRESSURE: in Outer) */
#define y 5   /* the same */
#define xc 6  /* where x and y are evacuated to */
#define yc 7
#define dc 8  /* where d is promoted to */
#define Objects 9
#define copy_of(o) ((o) + 2)

#define bit(o) (1 << (o))
#define has(set, o) (((set) >> (o)) & 1)

/* States of a region. Closing: an open scope that ended while it was collected (P6). */
#define Open 0
#define Waiting 1
#define Collected 2
#define Closing 3
#define Gone 4

/* Stages of a collection, in the order of the engine; Destroy is left out. */
#define Idle 0
#define Roots 1
#define Marking 2
#define Finishing 3
#define Sweeping 4
#define Weak 5
#define Settling 6
#define Slots 7
#define Freeing 8  /* one region of the set has gone back, another one has not */

byte field[Objects];    /* what the slot of each object holds */
byte where[Objects];    /* its region, or Pool, Parked, Moved */
byte state[4];          /* of each region */
bool inner_in_outer;    /* Inner began in Outer */
byte raw;               /* the mutator's raw pointer */
byte raw_scope;         /* with whose end it dies */
byte handle, weak;
bool handle_walked;
short incoming[4];      /* the slots recorded for each region */

byte stage;
short set;              /* the objects that this collection still has to settle */
short to_walk;          /* recorded slots, frozen at the start */
short told;             /* those that were recorded since, while roots are walked */
short to_root, to_outer;/* roots by destination */
short shades;           /* the mutator's own buffer */
short handed;           /* what it has handed over */
short kept;             /* shades for regions that wait */
short mark, grey;
short marked_to_outer;  /* the destination of each marked object: Outer, else the root */
byte group;             /* of roots that is marked: 0 the root's, 1 Outer's, 2 shades */
short held;             /* spans that a handle points into */
short evacuate;         /* spans that the sweep chose to evacuate */
short candidates;       /* slots of adopted spans that the sweep listed (P14) */
short listed[2];        /* slots that point into x's and y's span */
short expected;         /* what a collection that nothing disturbs marks; 0: it was disturbed */
short under_pressure;   /* the open regions that are collected */
#ifdef DETACHED
bool forgotten;         /* d was parked before the last poll: no raw pointer is left that was loaded from it */
#endif
bool next_in_poll;      /* the next start waits for a poll: raw pointers may reach into what waits */

#ifdef BREAK_DESTINATION
short to_inner;
#endif
byte operations;
#define disturb operations++; expected = -1
short seen;             /* scratch, 0 between steps */

#define is_open(r) (state[r] == Open)
#define waits(o) (where[o] < Pool && state[where[o]] == Waiting)
#define condemned(o) (has(set, o) || waits(o))

/* The reference rule: a reference from region b to region a needs no record. What is condemned encloses nothing and
 * is enclosed by nothing (P14). */
#ifdef BREAK_P14_KEY
#define encloses(a, b) ((a) == Root || (is_open(a) && ((a) == (b) || ((a) == Outer && ((b) == Ended || ((b) == Inner && inner_in_outer))))))
#else
#define encloses(a, b) ((a) == Root || (is_open(a) && ((a) == (b) || ((a) == Outer && (b) == Inner && is_open(Inner) && inner_in_outer))))
#endif

/* law [stale]: a recorded slot is one of a live object. Records of a span that was handed out again are dropped when
 * its generation changes (hand_out). After marking, what is left in the set is dead. */
#define lives(s) (in_memory(s) && in_live_map(s) && !(stage >= Weak && has(set, s) && !has(mark, s)))

/* ... also for the end of another scope, in every stage in which memory of the set goes back. */
#ifdef BREAK_DYING
#define lives_at_end(s) (in_memory(s) && in_live_map(s))
#else
#define lives_at_end(s) lives(s)
#endif

c_code {
    /* What is reached from `m`. */
    static int closure(int m) {
        int o, before;
        do {
            before = m;
            for (o = 1; o < Objects; o++)
                if (has(m, o)) m |= bit(now.field[o]);
        } while (m != before);
        return m & ~bit(Nil);
    }
    /* What the program can reach. It has names of its own for e and d while their scopes are open. */
    static int reach(void) {
        int m = bit(g) | bit(now.handle) | bit(now.raw);
#ifndef PRESSURE
        if (now.state[Outer] == Open) m |= bit(e);
        if (now.state[Inner] == Open) m |= bit(d);
#endif
        return closure(m);
    }
    /* What a collection has to mark: what slots outside the set, handles and shades reach, by way of the set only. */
    static int to_mark(void) {
        int o, before, m = bit(now.handle) | now.shades;
        for (o = 1; o < Objects; o++)
#ifdef HOLES
            if (!has(now.dead | now.plain, o))
#endif
            if (!has(now.set, o) && (now.where[o] < Pool || now.where[o] == Parked)) m |= bit(now.field[o]);
        m &= now.set;
        do {
            before = m;
            for (o = 1; o < Objects; o++)
                if (has(m, o)) m |= bit(now.field[o]) & now.set;
        } while (m != before);
        return m;
    }
}

/* Nothing that the program can reach is among `gone`. */
inline unreached(gone) {
    c_code { now.seen = reach(); };
    assert((seen & (gone)) == 0);
    seen = 0
}

/* One of the objects in `among`, any one. */
inline pick(o, among) {
    o = 1;
    do
    :: !has(among, o) -> o++
    :: has(among, o) -> break
    :: has(among, o) && ((among) >> (o + 1)) -> o++
    od;
    skip  /* what follows may be a d_step, which no break may enter */
}

inline shade(o) {
    if
#ifdef BREAK_P13
    :: o != Nil && has(set, o) -> shades = shades | bit(o)
#else
    :: o != Nil && has(set, o) && stage < Sweeping -> shades = shades | bit(o)
#endif
#ifndef BREAK_P1
#ifdef BREAK_WAITING_SHADED
    :: o != Nil && !has(set, o) && waits(o) && stage < Sweeping -> kept = kept | bit(o)
#else
    :: o != Nil && !has(set, o) && waits(o) -> kept = kept | bit(o)  /* P1, in every stage */
#endif
#endif
    :: else
    fi
}

#if defined BREAK_P8
#define not_left_out(s, t) (where[s] != where[t])
#elif defined BREAK_P21
#define not_left_out(s, t) !has(incoming[Outer] | incoming[Ended] | incoming[Inner], s)
#elif defined BREAK_SWEEP_LOOKS
#define not_left_out(s, t) !(where[s] == where[t] && has(set, s) && stage < Weak)
#else
/* Until the sweep, which looks at every slot of the set. */
#define not_left_out(s, t) !(where[s] == where[t] && has(set, s) && stage < Sweeping)
#endif

/* A slot of `s` receives `t`: record it where the reference rule says so. */
inline record(s, t) {
    if
    :: t != Nil && where[t] >= Pool -> assert(false)
    :: t != Nil && where[t] < Pool && not_left_out(s, t) && (condemned(t) || !encloses(where[t], where[s])) ->
        incoming[where[t]] = incoming[where[t]] | bit(s);
        if
        :: stage == Roots -> told = told | bit(s)
        :: else
        fi;
        if  /* a slot that dies before it is walked */
#ifndef BREAK_ROOTS_SHADE
        :: stage == Roots && has(set, t) -> shades = shades | bit(t)
#endif
        :: else
        fi;
        list(s, t)
    :: else
    fi
}

/* A slot that points into a span that will be evacuated is listed under it. */
inline list(s, t) {
    if
    :: stage >= Weak && has(set, t) && has(evacuate, t) -> listed[t - x] = listed[t - x] | bit(s)
    :: else
    fi
}

/* What was recorded of the slot of `o`. */
inline forget_records(o) {
    incoming[Outer] = incoming[Outer] & ~bit(o);
    incoming[Ended] = incoming[Ended] & ~bit(o);
    incoming[Inner] = incoming[Inner] & ~bit(o);
    to_walk = to_walk & ~bit(o);
    listed[0] = listed[0] & ~bit(o);
    listed[1] = listed[1] & ~bit(o)
}

/* law [remset] */
inline check_recorded() {
    c_code { now.seen = reach(); };
    i = 1;
    do
    :: i < Objects ->
        target = field[i];
        if
        :: has(seen, i) && target != Nil && where[i] != where[target] && !encloses(where[target], where[i]) ->
            assert(has(incoming[where[target]], i))
        :: else
        fi;
        i++
    :: else -> break
    od;
    seen = 0
}
