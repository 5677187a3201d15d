/* The collector: marks and sweeps the set, and looks at nothing else. */

inline mark_object(o) {
    mark = mark | bit(o);
    grey = grey | bit(o);
    if
    :: group == 1 -> marked_to_outer = marked_to_outer | bit(o)
    :: else
    fi
}

active proctype Collector() {
    byte o, target;
    bool asks;
end:
    do
    :: atomic { stage == Marking && grey != 0 ->
            pick(o, grey);
            assert(where[o] < Pool);  /* law [park] */
            grey = grey & ~bit(o);
            target = field[o]
        };
        atomic {
            if
            :: target != Nil && has(set, target) && !has(mark, target) -> mark_object(target)
            :: else
            fi;
            o = 0;
            target = 0
        }
    :: atomic { stage == Marking && grey == 0 ->
            if
            :: group == 0 ->
                group = 1;
                grey = to_outer & ~mark;
                mark = mark | grey;
                marked_to_outer = grey
            :: group == 1 -> group = 2
            :: group == 2 && handed != 0 ->  /* for the outermost destination */
                grey = handed & ~mark;
                mark = mark | grey;
                handed = 0
#ifdef BREAK_P11
            :: else -> stage = Sweeping
#else
            :: else -> asks = true  /* the lock of the list is released here */
#endif
            fi
        };
        atomic {
            if
            :: asks -> stage = Finishing; asks = false
            :: else
            fi
        }
    :: atomic { stage == Sweeping ->
            /* Which spans are sparse, anyone says; evacuated are those that nothing holds. */
            if
            :: has(mark, x) && !has(held, x) && where[xc] == Pool -> evacuate = evacuate | bit(x)
            :: true
            fi;
            if
            :: has(mark, y) && !has(held, y) && where[yc] == Pool -> evacuate = evacuate | bit(y)
            :: true
            fi;
            o = 1
        };
        do
        :: o < Objects ->
            atomic {
                assert(!has(mark, o) || where[o] < Pool);  /* law [park] */
                target = field[o];
                if
                :: has(mark, o) && target != Nil ->
                    if
                    :: has(evacuate, target) -> listed[target - x] = listed[target - x] | bit(o)
                    :: else
                    fi;
                    if
                    :: has(set, target) && destination(o) != destination(target) -> candidates = candidates | bit(o)
                    :: !has(set, target) && where[target] != Root && where[target] != destination(o) -> candidates = candidates | bit(o)
                    :: else
                    fi
                :: else
                fi;
                target = 0;
                o++;
                do  /* only what is marked is looked at: no step for the others */
                :: o < Objects && !has(mark, o) -> o++
                :: else -> break
                od
            }
        :: else -> atomic { o = 0; stage = Weak; break }
        od
    od
}
