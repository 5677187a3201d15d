#pragma once

namespace bench {

// Spins for a second and prints the gaps in which the machine gave this thread no time. A pause below the largest gap
// cannot be told from the machine's own. Returns that gap, in seconds.
double print_noise_floor();

}  // namespace bench
