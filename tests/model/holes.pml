/* A span with dead objects among the living (HOLES): x and y are in one span. Where it is adopted with one of them dead,
 * that one stays in it, and the live map says so; or it is cut out of it as a hole, which goes the way of all that is
 * freed, and a new object is put there.
 *
 * law [stale]: a recorded slot is looked at only if it is a reference of a live object. Three questions say so: whether
 * its span's generation is the one that was recorded (hand_out takes back what was recorded of another), whether its span
 * is in the pool, and whether the live map has it. */

#ifdef HOLES

#define z d  /* in Ended, and named by y alone */

short dead;         /* the live map: of what is in an adopted span, what is dead */
short plain;        /* objects whose word is a number */
bool shared = true; /* x and y are in one span */
bool cut;           /* y's memory has become a span of its own */

#define is_dead(s) has(dead, s)

/* Without one of the questions more is marked than has to be. Shown is that this is not all that goes wrong. */
#if defined BREAK_LIVE_MAP || defined BREAK_POOL || defined BREAK_HOLE_GENERATION || defined BREAK_CUT_GENERATION
#define exact false
#else
#define exact true
#endif

#ifdef BREAK_LIVE_MAP
#define in_live_map(s) true
#else
#define in_live_map(s) !has(dead, s)
#endif
#ifdef BREAK_POOL
#define in_memory(s) (where[s] < Pool || (where[s] == Pool && cut && s == y))
#else
#define in_memory(s) (where[s] < Pool)
#endif

/* What is looked at is a reference, and to something that is there. */
inline look(s) {
    assert(!lives(s) || (!has(plain, s) && (field[s] == Nil || where[field[s]] < Pool)))
}

/* The span of `o` was adopted: what becomes of the other one in it, if that is dead. */
inline adopt_dead(o, stays) {
    if
    :: shared && (o == x || o == y) && has(set, x + y - o) && !has(mark, x + y - o) ->
        if
        :: stays ->
            where[x + y - o] = where[o];
            dead = dead | bit(x + y - o);
            set = set & ~bit(x + y - o)
        :: else ->
            shared = false;
            cut = (o == x);
#ifdef BREAK_CUT_GENERATION
            forget_records(o)
#endif
        fi
    :: else
    fi
}

/* A new object in the hole. Its word there is a reference; or a number, which looks like one. */
inline fill_hole() {
#ifdef BREAK_HOLE_GENERATION
    field[y] = Nil;
#else
    hand_out(y);
#endif
    cut = false;
    if
    :: where[y] = Root; plain = plain | bit(y); field[y] = e
    :: where[y] = (is_open(Outer) -> Outer : Root);
        record(y, raw);
        field[y] = raw;
        point_at(y)
    fi
}

#else

#define is_dead(s) false
#define exact true
#define in_live_map(s) true
#define in_memory(s) (where[s] < Pool)
#define look(s) skip

#endif
