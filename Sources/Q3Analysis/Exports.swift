// What the signatures of this library are made of: `import Q3Analysis` is all that its users write.
@_exported public import Q3Linear
