// q3 bench --roofline: what this machine could do at most, and how near the products and the whole model come to it.
import Q3GGUF
import Q3Kernels
import Q3Model

struct Roofline {
    /// Multiply-adds per second of one thread and of all.
    private struct Rate {
        let ceiling: Ceiling
        let single: Double
        let all: Double
    }

    /// One operation on one thread.
    private struct Share {
        let products: LayerProducts
        let families: String
        /// Multiply-adds per second, and what the ceilings of its families allow.
        let rate: Double
        let limit: Double
    }

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
        let layers = try (0..<model.config.layerCount).map { try LayerProducts.ofLayer($0, in: setup) }
        shares = try Self.shares(of: layers, setup: setup, rates: rates)
        let speed = try await BenchRunner(setup: setup).run(.tokens(BenchCase.steadyLength))
        modelSpeed = speed[0].tokensPerSecond
        modelLimit = Self.limit(of: layers, config: model.config, setup: setup, rates: rates)
    }

    private static func rate(of family: PanelFamily, _ setup: BenchSetup, _ rates: [Rate]) -> Rate? {
        rates.first { $0.ceiling.isa == setup.isa && $0.ceiling.family == family }
    }

    /// Every operation with every mix of types that the model has, in the order of the graph.
    private static func shares(
        of layers: [[LayerProducts]], setup: BenchSetup, rates: [Rate]
    ) throws -> [Share] {
        var seen: Set<String> = []
        let different = layers.joined().filter { seen.insert("\($0.node) \($0.types)").inserted }
        let nodes = layers[0].map(\.node)
        return try nodes.flatMap { node in
            try different.filter { $0.node == node }.map { products in
                BenchSetup.show("\(node): \(products.types)")
                let tokens = BenchCase.steadyLength
                let seconds = try products.seconds(
                    tokenCount: tokens, isa: setup.isa, repeatCount: setup.repeatCount)
                let work = Double(products.multiplyAddsPerToken)
                let least = products.matrices.reduce(0) { sum, matrix in
                    sum + Double(matrix.rows * matrix.cols) / (rate(of: matrix.family, setup, rates)?.single ?? .nan)
                }
                let families = products.matrices.map { "\($0.family)" }
                return Share(
                    products: products,
                    families: families.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
                        .joined(separator: " "), rate: work * Double(tokens) / seconds, limit: work / least)
            }
        }
    }

    /// Tokens per second if every product of a text of 512 tokens ran at its family's ceiling, and attention at that of
    /// f32. Behind its keys and values the last layer runs for one token.
    private static func limit(
        of layers: [[LayerProducts]], config: Qwen3Config, setup: BenchSetup, rates: [Rate]
    ) -> Double {
        let tokens = BenchCase.steadyLength
        func rate(_ family: PanelFamily) -> Double { Self.rate(of: family, setup, rates)?.all ?? .nan }
        let attention =
            PassWork(config: config, lists: [[Int32](repeating: 0, count: tokens)])
            .multiplyAdds(of: "attention") ?? 0
        var seconds = Double(attention) / rate(.f32)
        for (index, layer) in layers.enumerated() {
            for products in layer {
                for (part, matrix) in products.matrices.enumerated() {
                    let isKeysOrValues = products.node == "qkv" && part > 0
                    let rows = index < layers.count - 1 || isKeysOrValues ? tokens : 1
                    seconds += Double(rows * matrix.rows * matrix.cols) / rate(matrix.family)
                }
            }
        }
        return Double(tokens) / seconds
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
        lines += ["", "Products of \(BenchCase.steadyLength) tokens on one thread:", products.header]
        lines += shares.map { share in
            products.line([
                share.products.node, share.products.types, share.families, giga(share.rate), giga(share.limit),
                (share.rate / share.limit * 100).fixed(1),
            ])
        }
        let percent = (modelSpeed / modelLimit * 100).fixed(1)
        lines += [
            "",
            "Whole model, \(BenchCase.steadyLength) tokens, \(setup.threads) threads: \(modelSpeed.fixed(1)) tokens/s, "
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
            object.add("product", quoted: share.products.node)
            object.add("types", quoted: share.products.types)
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
