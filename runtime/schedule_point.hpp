#pragma once

/// Where a seeded scheduler of the tests may let the collector run in the middle of a mutator's step (after verona-rt's
/// yield points). Nothing in other builds.
namespace perfloc::detail {

#ifdef PERFLOC_SCHEDULE_POINTS
extern void (*schedule_hook)();
inline void schedule_point() {
    if (schedule_hook != nullptr) schedule_hook();
}
#else
inline void schedule_point() {}
#endif

}  // namespace perfloc::detail
