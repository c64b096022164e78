// q3 bench --profile: where the time of a pass goes.
import Q3Model

struct ProfileReport {
    let setup: BenchSetup

    private static let table = Table(columns: [
        ("node", -14), ("seconds", 9), ("share %", 7), ("GMAC", 9), ("GMAC/s", 8),
    ])

    /// One pass of the case as one batch, after a warm-up. Nothing for a case that is no pass of the model.
    func run(_ benchCase: BenchCase, json: Bool) async throws -> [String] {
        let model = try setup.model()
        guard let lists = benchCase.tokenLists(vocabularySize: model.config.vocabularySize) else {
            Terminal.say("\(benchCase.name): skipped, no pass of the model to profile")
            return []
        }
        BenchSetup.show("\(benchCase.name): profile")
        if setup.warmsUp { _ = try await model.profile(lists) }
        let nodes = try await model.profile(lists)
        let total = nodes.reduce(0) { $0 + $1.seconds }
        let work = PassWork(config: model.config, lists: lists)
        var lines = json ? [] : ["\(benchCase.name), \(total.fixed(4)) s", Self.table.header]
        for (node, seconds) in nodes {
            let multiplyAdds = work.multiplyAdds(of: node)
            if json {
                var object = JSONObject()
                object.add("case", quoted: benchCase.name)
                object.add("node", quoted: node)
                object.add("seconds", seconds)
                object.add("share", seconds / total)
                if let multiplyAdds { object.add("macs_per_second", Double(multiplyAdds) / seconds) }
                object.add("threads", setup.threads)
                setup.describe(in: &object)
                lines.append("\(object)")
            } else {
                lines.append(
                    Self.table.line([
                        node, seconds.fixed(4), (seconds / total * 100).fixed(1),
                        multiplyAdds.map { (Double($0) * 1e-9).fixed(2) } ?? "",
                        multiplyAdds.map { (Double($0) / seconds * 1e-9).fixed(1) } ?? "",
                    ]))
            }
        }
        return lines
    }
}
