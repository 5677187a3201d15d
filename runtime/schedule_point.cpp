#include "runtime/schedule_point.hpp"

namespace perfloc::detail {

#ifdef PERFLOC_SCHEDULE_POINTS
void (*schedule_hook)() = nullptr;
#endif

}  // namespace perfloc::detail
