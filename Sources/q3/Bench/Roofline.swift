// q3 bench --roofline: what this machine could do at most, and how close the products and the whole model come to it.
import Q3GGUF
import Q3Kernels
import Q3Model
import Q3System

struct Roofline {
    /// Multiply-adds per second of one thread and of all.
    private struct Rate {
        let ceiling: Ceiling
        let single: Double
        let all: Double
    }

    /// One operation on one thread.
    private struct Share {
        let node: String
        /// Types of the weights, such as "Q4_K Q4_K Q6_K".
        let types: String
        let families: String
        /// Multiply-adds per second, and what the ceilings of its families allow.
        let rate: Double
        let limit: Double
    }

    private static let tokenCount = BenchCase.steadyLength

    private let setup: BenchSetup
    private let rates: [Rate]
    private let reading: (single: Double, all: Double)?
    private let shares: [Share]
    /// Tokens per second of one text, and what the ceilings of all its products and of its attention allow.
    private let modelSpeed: Double
    private let modelLimit: Double

    init(setup: BenchSetup) async throws {
        guard Ceiling(isa: setup.isa, family: .f32) != nil else {
            throw Failure(.usage, "--roofline knows no ceilings of the instruction set \(setup.isa.name)")
        }
        self.setup = setup
        rates = Ceiling.all.map { ceiling in
            BenchSetup.show("ceiling: \(ceiling.name)")
            return Rate(
                ceiling: ceiling, single: ceiling.multiplyAddsPerSecond(threads: 1),
                all: ceiling.multiplyAddsPerSecond(threads: setup.threads))
        }
        BenchSetup.show("memory")
        let single = memoryReadRate(threads: 1)
        reading = single.flatMap { single in memoryReadRate(threads: setup.threads).map { (single, $0) } }
        let model = try setup.model()
        let speed = try await BenchRunner(setup: setup).run(.tokens(Self.tokenCount))
        modelSpeed = speed[0].tokensPerSecond
        guard let lists = BenchCase.tokens(Self.tokenCount).tokenLists(vocabularySize: model.config.vocabularySize)
        else { preconditionFailure("a text is a pass of the model") }
        let pass = try await model.trace(lists, ProductNode.init)
        shares = try Self.shares(of: pass, setup: setup, rates: rates)
        modelLimit = Self.limit(of: pass, setup: setup, rates: rates)
    }

    private static func rate(of family: PanelFamily, _ setup: BenchSetup, _ rates: [Rate]) -> Rate? {
        rates.first { $0.ceiling.isa == setup.isa && $0.ceiling.family == family }
    }

    /// Every node that multiplies all tokens, with every mix of types that the model has, in the order of the layer.
    private static func shares(of pass: [ProductNode], setup: BenchSetup, rates: [Rate]) throws -> [Share] {
        let products = pass.filter { !$0.matrices.isEmpty && $0.rowCount == tokenCount }
        var seen: Set<String> = []
        let different = products.filter { seen.insert("\($0.name) \($0.types)").inserted }
        var names: [String] = []
        for node in different where !names.contains(node.name) { names.append(node.name) }
        return try names.flatMap { name in
            try different.filter { $0.name == name }.map { node in
                BenchSetup.show("\(name): \(node.types)")
                let seconds = try node.singleThreadSeconds(isa: setup.isa, repeatCount: setup.repeatCount)
                let least = node.seconds(at: { rate(of: $0, setup, rates)?.single })
                var families: [String] = []
                for matrix in node.matrices where !families.contains("\(matrix.family)") {
                    families.append("\(matrix.family)")
                }
                return Share(
                    node: name, types: node.types, families: families.joined(separator: " "),
                    rate: Double(node.multiplyAdds) / seconds, limit: Double(node.multiplyAdds) / least)
            }
        }
    }

    /// Tokens per second if every product of a pass ran at its family's ceiling, and attention at that of f32.
    private static func limit(of pass: [ProductNode], setup: BenchSetup, rates: [Rate]) -> Double {
        let seconds = pass.reduce(0) { $0 + $1.seconds(at: { rate(of: $0, setup, rates)?.all }) }
        return Double(tokenCount) / seconds
    }

    // MARK: - For a person

    var lines: [String] {
        let ceilings = Table(columns: [
            ("ceiling", -11), ("family", -6), ("instructions", -19), ("1 thread", 8), ("\(setup.threads) threads", 10),
        ])
        let products = Table(columns: [
            ("product", -14), ("types", -16), ("families", -8), ("GMAC/s", 7), ("ceiling", 7), ("%", 5),
        ])
        var lines = ["\(setup)", "", "Billions of multiply-adds per second in registers:", ceilings.header]
        lines += rates.map { rate in
            ceilings.line([
                rate.ceiling.isa.name, "\(rate.ceiling.family)", rate.ceiling.name, giga(rate.single), giga(rate.all),
            ])
        }
        if let reading {
            lines.append(ceilings.line(["memory", "", "GB/s read", giga(reading.single), giga(reading.all)]))
        }
        lines += ["", "Products of \(Self.tokenCount) tokens on one thread:", products.header]
        lines += shares.map { share in
            products.line([
                share.node, share.types, share.families, giga(share.rate), giga(share.limit),
                (share.rate / share.limit * 100).fixed(1),
            ])
        }
        let percent = (modelSpeed / modelLimit * 100).fixed(1)
        lines += [
            "",
            "Whole model, \(Self.tokenCount) tokens, \(setup.threads) threads: \(modelSpeed.fixed(1)) tokens/s, "
                + "\(percent) % of the \(modelLimit.fixed(1)) that these ceilings allow",
        ]
        return lines
    }

    private func giga(_ rate: Double) -> String { (rate * 1e-9).fixed(1) }

    // MARK: - For a program

    var jsonLines: [String] {
        var objects = rates.map { rate in
            var object = JSONObject()
            object.add("ceiling", quoted: rate.ceiling.name)
            object.add("isa", quoted: rate.ceiling.isa.name)
            object.add("family", quoted: "\(rate.ceiling.family)")
            object.add("macs_per_second", rate.single)
            object.add("macs_per_second_all_threads", rate.all)
            object.add("threads", setup.threads)
            return object
        }
        if let reading {
            var object = JSONObject()
            object.add("ceiling", quoted: "memory")
            object.add("bytes_per_second", reading.single)
            object.add("bytes_per_second_all_threads", reading.all)
            object.add("threads", setup.threads)
            objects.append(object)
        }
        objects += shares.map { share in
            var object = JSONObject()
            object.add("product", quoted: share.node)
            object.add("types", quoted: share.types)
            object.add("families", quoted: share.families)
            object.add("macs_per_second", share.rate)
            object.add("ceiling_macs_per_second", share.limit)
            setup.describe(in: &object)
            return object
        }
        var object = JSONObject()
        object.add("tokens_per_second", modelSpeed)
        object.add("ceiling_tokens_per_second", modelLimit)
        object.add("threads", setup.threads)
        setup.describe(in: &object)
        return (objects + [object]).map(\.description)
    }
}
