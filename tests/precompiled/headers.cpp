// A source for the target whose precompiled headers the tests share.
