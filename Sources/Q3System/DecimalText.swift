// Numbers as people read them, without Foundation.

package enum DecimalText {
    /// A number with exactly so many digits after the point; one that is too large for that as Swift writes it.
    package static func fixed(_ value: Double, _ digits: Int) -> String {
        let unit = (0..<digits).reduce(1.0) { unit, _ in unit * 10 }
        guard value.isFinite, value.magnitude * unit < 9e15 else { return "\(value)" }
        let scaled = (value.magnitude * unit).rounded()
        let sign = value < 0 && scaled > 0 ? "-" : ""
        let (whole, part) = (Int(scaled) / Int(unit), Int(scaled) % Int(unit))
        guard digits > 0 else { return "\(sign)\(whole)" }
        let text = "\(part)"
        return "\(sign)\(whole).\(String(repeating: "0", count: digits - text.count))\(text)"
    }
}
