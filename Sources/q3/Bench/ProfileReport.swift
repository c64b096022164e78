// q3 bench --profile: where the time of a pass goes.
import Q3Model
import Q3System

struct ProfileReport {
    let setup: BenchSetup

    /// What a node took over all layers and blocks.
    private struct Share {
        let name: String
        var seconds: Double
        var multiplyAdds: Int

        @Sendable init(_ trace: NodeTrace) {
            (name, seconds, multiplyAdds) = (trace.node, trace.seconds, trace.multiplyAdds)
        }
    }

    private static let table = Table(columns: [
        ("node", -14), ("seconds", 9), ("share %", 7), ("GMAC", 9), ("GMAC/s", 8),
    ])

    /// One pass of the case as one batch, after a warm-up. Nothing for a case that is not a pass of the model.
    func run(_ benchCase: BenchCase, json: Bool) async throws -> [String] {
        let model = try setup.model()
        guard let lists = benchCase.tokenLists(vocabularySize: model.config.vocabularySize) else {
            Terminal.say("\(benchCase.name): skipped, no pass of the model to profile")
            return []
        }
        BenchSetup.show("\(benchCase.name): profile")
        if setup.warmsUp { _ = try await model.trace(lists) { _ in } }
        var nodes: [Share] = []
        for node in try await model.trace(lists, Share.init) {
            if let index = nodes.firstIndex(where: { $0.name == node.name }) {
                nodes[index].seconds += node.seconds
                nodes[index].multiplyAdds += node.multiplyAdds
            } else {
                nodes.append(node)
            }
        }
        let total = nodes.reduce(0) { $0 + $1.seconds }
        var lines = json ? [] : ["\(benchCase.name), \(total.fixed(4)) s", Self.table.header]
        for node in nodes {
            let (seconds, multiplyAdds) = (node.seconds, node.multiplyAdds > 0 ? node.multiplyAdds : nil)
            if json {
                var object = JSONObject()
                object.add("case", quoted: benchCase.name)
                object.add("node", quoted: node.name)
                object.add("seconds", seconds)
                object.add("share", seconds / total)
                if let multiplyAdds { object.add("macs_per_second", Double(multiplyAdds) / seconds) }
                object.add("threads", setup.threads)
                setup.describe(in: &object)
                lines.append("\(object)")
            } else {
                lines.append(
                    Self.table.line([
                        node.name, seconds.fixed(4), (seconds / total * 100).fixed(1),
                        multiplyAdds.map { (Double($0) * 1e-9).fixed(2) } ?? "",
                        multiplyAdds.map { (Double($0) / seconds * 1e-9).fixed(1) } ?? "",
                    ]))
            }
        }
        return lines
    }
}
