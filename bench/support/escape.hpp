#pragma once

namespace bench {

// The compiler must have this value, and must assume that somebody looks at it.
template <class T>
inline void keep(const T& value) {
    asm volatile("" : : "g"(value) : "memory");
}

// The same pointer, but the compiler does not know it: a store through it neither deletes nor joins one before it, and
// nothing else is forced out of registers.
template <class T>
inline T* disguise(T* pointer) {
    asm("" : "+r"(pointer));
    return pointer;
}

}  // namespace bench
