/* The heap that the program starts with: Ended has just ended (PRESSURE: x and y are in Outer). */

#ifdef PRESSURE
bool collected_before;
#define home Outer
#else
#define home Ended
#endif

inline set_up() {
    atomic {
        where[g] = Root; where[e] = Outer; where[x] = home; where[y] = home;
        where[d] = Pool; where[xc] = Pool; where[yc] = Pool; where[dc] = Pool;
        state[Inner] = Gone;
#ifdef PRESSURE
        state[Ended] = Gone;
#else
        state[Ended] = Waiting;
#endif
        if
        :: true
        :: field[g] = x
        :: field[g] = e
        fi;
        if
        :: true
        :: field[e] = y
        fi;
        if
        :: field[x] = y
        :: field[x] = e
        fi;
        if
        :: field[y] = x
        :: field[y] = e
#ifdef HOLES
        :: field[y] = z
#endif
        fi;
#ifdef HOLES
        where[z] = Ended;
        incoming[Outer] = bit(y);  /* for what it held when y's region was another, which was condemned */
#endif
#ifdef HANDLES
        if
        :: true
        :: handle = x
        fi;
#endif
#if defined HANDLES || defined WEAK
        if
        :: true
        :: weak = x
        fi;
#endif
#ifdef INNER
        if  /* lexical: it began after Ended ended */
        :: true
        :: state[Inner] = Open; where[d] = Inner;
#ifndef DETACHED
            inner_in_outer = true;
#endif
            if
            :: field[d] = Nil
            :: field[d] = x;
#ifdef BREAK_DESTINATION
                field[g] = Nil; field[e] = Nil; field[y] = e;  /* x was loaded from a slot that was then cleared */
                raw = x; raw_scope = Outer; kept = bit(x)
#endif
            fi
        fi;
#endif
#ifdef DETACHED
        if
        :: is_open(Inner) && field[e] == y && field[g] == Nil && field[d] == Nil -> incoming[Inner] = bit(e)  /* for what it held before */
        :: true
        fi;
#endif
        i = 1;
        do
        :: i < Objects ->
            if
            :: field[i] != Nil && where[i] != where[field[i]] && !(where[i] == Ended && where[field[i]] == Outer) && !encloses(where[field[i]], where[i]) ->
                incoming[where[field[i]]] = incoming[where[field[i]]] | bit(i)
            :: else
            fi;
            i++
        :: else -> break
        od;
        i = 0
    }
}
