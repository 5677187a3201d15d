#pragma once

namespace bench {

// The largest gaps that a spinning thread saw, in seconds. A pause below cannot be told from the machine's own.
struct NoiseFloor {
    double wall = 0;  // other threads, the hypervisor
    double cpu = 0;   // of the thread's own CPU time: interrupts, and what a hypervisor takes without saying so
};

// Spins for two seconds, and prints what it saw.
NoiseFloor print_noise_floor();

}  // namespace bench
