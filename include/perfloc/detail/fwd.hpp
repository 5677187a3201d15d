#pragma once

namespace perfloc {

class Heap;
class Mutator;
class Scope;
class DetachedScope;
class RootScope;
class Tracer;
template <class T>
class Ref;
template <class T>
class Array;
template <class T>
class Handle;
template <class T>
class WeakHandle;
template <class T>
class GlobalHandle;
template <class T>
class GlobalWeakHandle;
template <class T>
class Pin;

}  // namespace perfloc
