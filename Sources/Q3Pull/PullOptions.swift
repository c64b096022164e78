// How a model is downloaded.
import Q3Catalog
package import Q3Model
package import Q3System

package struct PullOptions: Sendable {
    /// Only looks into the folder; opens no socket.
    package var offline = false
    /// Accepts bytes without a known hash.
    package var unverified = false
    /// The hash that the file must have.
    package var digest: SHA256Digest?
    /// Downloads again what is there already.
    package var force = false
    /// Hosts that may be talked to without encryption, and at private addresses.
    package var plainHosts: [String] = []
    /// Seconds of silence after which a connection is given up.
    package var stallTimeout = 15.0
    /// Attempts in a row that bring less than a megabyte, before the download is given up.
    package var retries = 5
    /// Bytes per second, over four times the stall timeout, below which a connection is given up.
    package var leastSpeed = 1024
    /// Counts bytes, with those that an earlier download left.
    package var progress: @Sendable (Progress) -> Void = { _ in }
    /// Called with news for the person who waits: what is resumed, and why an attempt failed.
    package var note: @Sendable (String) -> Void = { _ in }
    /// Called with the path of an unfinished file once it has bytes, so that an interrupted program can name it, and with nil
    /// when it is gone.
    package var unfinished: @Sendable (_ path: String?) -> Void = { _ in }

    package init() {}
}

/// A model that is there.
package struct PulledModel: Sendable {
    package let path: String
    package let digest: SHA256Digest
    package let byteCount: Int
    package let revision: String?
    /// Who vouched for the hash.
    package let source: ModelRecord.Source
    /// Whether it had to be downloaded.
    package let isNew: Bool
}
