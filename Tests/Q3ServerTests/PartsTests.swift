// Small parts: the metrics text, cutting a text by tokens, a socket's file.
#if Server
import CoreMetrics
import Foundation
import Metrics
import Q3Embedding
import Q3Tokenizer
import TestSupport
import Testing

@testable import Q3Server

@Suite struct PrometheusRegistryTests {
    @Test func `every kind of metric is written as Prometheus reads it`() {
        let registry = PrometheusRegistry(
            descriptions: [
                "sizes": .init(help: "How large.", buckets: [0.5, 2]),
                "took": .init(help: "How long.", buckets: [0.5, 2]),
            ])
        let counter = Counter(label: "a.b", dimensions: [("le\"x", "quote\" back\\ line\n")], factory: registry)
        counter.increment(by: 2)
        counter.increment()
        Meter(label: "level", dimensions: [], factory: registry).set(1.5)
        let sizes = Recorder(label: "sizes", dimensions: [("k", "v")], aggregate: true, factory: registry)
        [0.25, 1, 1, 9].forEach { sizes.record($0) }
        Metrics.Timer(label: "took", dimensions: [], factory: registry).recordMilliseconds(1500)
        #expect(
            registry.text == """
                # TYPE a_b counter
                a_b{le_x="quote\\" back\\\\ line\\n"} 3
                # TYPE level gauge
                level 1.5
                # HELP sizes How large.
                # TYPE sizes histogram
                sizes_bucket{k="v",le="0.5"} 1
                sizes_bucket{k="v",le="2"} 3
                sizes_bucket{k="v",le="+Inf"} 4
                sizes_sum{k="v"} 11.25
                sizes_count{k="v"} 4
                # HELP took How long.
                # TYPE took histogram
                took_bucket{le="0.5"} 0
                took_bucket{le="2"} 1
                took_bucket{le="+Inf"} 1
                took_sum 1.5
                took_count 1

                """)
    }

    @Test func `the same labels are the same series`() {
        let registry = PrometheusRegistry()
        for _ in 0..<3 { Counter(label: "n", dimensions: [("a", "b")], factory: registry).increment() }
        #expect(registry.text == "# TYPE n counter\nn{a=\"b\"} 3\n")
    }
}

@Suite struct CutTests {
    @Test(arguments: 0...12) func `the prefix of a text has at most so many tokens`(_ count: Int) throws {
        let tokenizer = try TestServer().embedder.tokenizer
        let text = "Zürich 东京 🇨🇭 e\u{301}clair"
        let cut = tokenizer.prefix(of: text, tokens: count)
        #expect(text.unicodeScalars.starts(with: cut.unicodeScalars))
        #expect(tokenizer.encode(cut).count <= count)
        #expect(tokenizer.prefix(of: text, tokens: 1000) == text)
    }
}

@Suite struct SocketFileTests {
    @Test func `a file that is not a dead socket is not taken over`() throws {
        let folder = try TemporaryFolder()
        try SocketFile.claim(folder.file("none"))
        let file = try folder.write("file", [1])
        #expect(throws: ServerError.socketFileInUse(path: file)) { try SocketFile.claim(file) }
        #expect(try folder.read("file") == [1])
    }
}
#endif
