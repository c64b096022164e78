// What tests take from the package beside their target: `SeededGenerator`, and the system's functions.
@_exported public import Q3System
