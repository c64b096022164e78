// The log as a JSON object per line, for collectors.
#if Server
import Logging
import Q3System

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Writes `{"time", "level", "message", ...}` to stderr.
struct JSONLogHandler: LogHandler {
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var line = JSONObject()
        line.add("time", quoted: Date().formatted(.iso8601))
        line.add("level", quoted: event.level.rawValue)
        line.add("message", quoted: "\(event.message)")
        let fields = metadata.merging(event.metadata ?? [:]) { $1 }
        for (key, value) in fields.sorted(by: { $0.key < $1.key }) {
            line.add(key, quoted: "\(value)")
        }
        Terminal.write("\(line)\n", to: 2)
    }
}
#endif
