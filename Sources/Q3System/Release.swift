/// Which q3 this is.
package enum Release {
    /// As in CHANGELOG.md.
    package static let version = "0.1.0"
}
