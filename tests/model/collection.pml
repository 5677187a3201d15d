/* One mutator and one collection beside it, as gc/ does them; README.md says what is in it and what is not.
 *
 * One process is the mutator with its slices, the other the collector. The collector looks at the condemned set only
 * and changes marks and lists; everything else is the mutator's, between whose steps the collector's steps fall.
 *
 * Variants (-D):   none        small inner scopes are lexical
 *                  DETACHED    they are detached: they end while raw pointers loaded from their objects stay valid
 *                  PRESSURE    an open scope is collected; objects are born black
 *                  ALLOCATION  new objects whose slots name something; a collection is given slices where they are made
 *                  ANYWHERE    ... also while the object is half made, and weak handles are cleared in them
 *                  HOLES       dead objects among the living: the live map, and holes that are used again
 * Broken (-D):     BREAK_...   one rule is left out; README.md lists them
 */
#include "heap.pml"
#include "holes.pml"
#include "start.pml"
#include "slices.pml"
#include "allocation.pml"
#include "mutator.pml"
#include "collector.pml"
