#pragma once

#include "runtime/poison.hpp"

#include <string_view>

namespace perfloc::detail {

/// What PERFLOC_STRESS turns on, names separated by commas.
struct Stress {
    bool verify = false;  ///< the verifier runs at every safepoint, and after every end and collection that looked
    bool move = false;    ///< everything that may move is moved at every safepoint, survivors at every end
    bool poison = false;  ///< released memory is overwritten and quarantined (`move` and ASan imply the quarantine)

    /// Every end of a scope that something may still name is collected beside the program, and no kept one is told at once whose it is.
    bool condemn = false;

    bool any() const { return verify || move || poison || condemn; }
    bool quarantine() const { return move || poison || kAsan; }

    /// Throws OptionError for a name that is not known.
    static Stress parse(std::string_view names);
    static Stress from_environment();
};

}  // namespace perfloc::detail
