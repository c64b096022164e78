// Overflow-checked arithmetic: every sum and product of numbers that come from a file goes through these.

extension Int {
    /// `self + other`, nil when it does not fit.
    package func checkedAdding(_ other: Int) -> Int? {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? nil : sum
    }

    /// `self * other`, nil when it does not fit.
    package func checkedMultiplied(by other: Int) -> Int? {
        let (product, overflow) = multipliedReportingOverflow(by: other)
        return overflow ? nil : product
    }

    /// The next multiple of `alignment`, a power of two, at or above `self`; nil when it does not fit.
    package func checkedRoundedUp(to alignment: Int) -> Int? {
        checkedAdding(alignment - 1).map { $0 & ~(alignment - 1) }
    }
}
