/* What a scope makes, and the slices that its collection is given meanwhile: where a scope that has grown large takes
 * memory, after the operands of the new object were evaluated and before there is an object. Such a slice begins and
 * goes on with what any other does outside of a poll, but it stops at a weak handle to the dead. */

#ifdef ALLOCATION

#ifdef BREAK_ALLOC_BEGINS
#define begins_at_allocation true
#else
#define begins_at_allocation false
#endif

#ifdef BREAK_ALLOC_MOVES
#define moves_at_allocation true
#else
#define moves_at_allocation false
#endif

#ifdef ANYWHERE
#define held_up false
#else
#define held_up (stage == Weak && weak != Nil && has(set, weak) && !has(mark, weak))
#endif

#define slices_at_allocation \
    do \
    :: atomic { (stage != Idle || waiting) && !held_up -> slice(begins_at_allocation, moves_at_allocation) } \
    :: break \
    od

/* An object whose slot names what the raw pointer does: in Outer, or with make_in() in the root. Its reference is
 * recorded as the last thing, for what it names by then (P10). */
inline allocate() {
    atomic {
        where[dc] == Pool -> disturb;
        new = raw;
        if
        :: is_open(Outer) -> home_of_new = Outer
        :: home_of_new = Root
        fi
#ifdef BREAK_NEW_EARLY
        ;
        region = where[new]
#endif
    };
    slices_at_allocation;
    atomic {
        hand_out(dc);
        where[dc] = home_of_new
    };
#ifdef ANYWHERE
    slices_at_allocation;  /* the object is half made */
#endif
    atomic {
#if defined BREAK_NEW_EARLY
        if
        :: new != Nil && region != Root && !encloses(region, home_of_new) -> incoming[region] = incoming[region] | bit(dc)
        :: else
        fi;
        region = 0;
        list(dc, new);
#elif !defined BREAK_NEW_RECORDED
        record(dc, new);
#endif
        field[dc] = new;
        point_at(dc);
        new = 0;
        home_of_new = 0
    }
}

#endif
