// Every measure beside what pytrec_eval, SciPy, scikit-learn and MTEB compute (Tests/Fixtures/eval/make_eval.py).
import Q3Embedding
import TestSupport
import Testing

@testable import Q3Eval

@Suite struct ReferenceTests {
    private let reference: Reference

    init() throws { reference = try Reference.load() }

    /// Ties are many: the order must be pytrec_eval's, by id as bytes, descending.
    @Test func `retrieval`() async throws {
        let data = reference.retrieval
        let byID = data.ids.indices.sorted { data.ids[$1].utf8.lexicographicallyPrecedes(data.ids[$0].utf8) }
        var tieRanks = [Int](repeating: 0, count: byID.count)
        for (rank, row) in byID.enumerated() { tieRanks[row] = rank }
        let hits = try await Search.nearest(
            1000, of: Vectors(data.corpus), to: Vectors(data.queries), tieRanks: tieRanks)
        var scores = RetrievalScores()
        for (hits, judged) in zip(hits, data.qrels) {
            // The keys of a decoded dictionary are equal where their characters are; the two ids of that kind are bytes.
            let grades = Dictionary(uniqueKeysWithValues: judged.map { (Array($0.id.utf8), $0.grade) })
            scores.add(ranked: hits.map { grades[Array(data.ids[$0.index].utf8)] ?? 0 }, judged: Array(grades.values))
        }
        #expect(scores.queryCount == 12)
        for measure in RetrievalScores.Measure.allCases {
            for (cut, expected) in zip(RetrievalScores.cuts, data.expected[measure.rawValue] ?? []) {
                #expect(abs(scores[measure, at: cut] - expected) < 1e-12, "\(measure) at \(cut)")
            }
            #expect(data.expected[measure.rawValue]?.count == RetrievalScores.cuts.count)
        }
    }

    @Test func `correlation`() throws {
        for data in reference.correlation {
            #expect(Correlation.ranks(data.x) == data.ranks)
            #expect(abs(try #require(Correlation.pearson(data.x, data.y)) - data.pearson) < 1e-12)
            #expect(abs(try #require(Correlation.spearman(data.x, data.y)) - data.spearman) < 1e-12)
        }
        #expect(Correlation.pearson([0.1, 0.1, 0.1], [1, 2, 3]) == nil)
        #expect(Correlation.spearman([1, 2, 3], [7, 7, 7]) == nil)
        #expect(Correlation.pearson([1], [1]) == nil)
        #expect(Correlation.pearson([], []) == nil)
    }

    @Test func `comparisons`() {
        let data = reference.comparisons
        let (a, b) = (Vectors(data.a), Vectors(data.b))
        for row in 0..<a.count {
            let comparison = a.comparison(row, b, row)
            #expect(abs(comparison.cosine - data.cosine[row]) < 1e-12)
            #expect(abs(comparison.manhattan - data.manhattan[row]) < 1e-12)
            #expect(abs(comparison.euclidean - data.euclidean[row]) < 1e-12)
        }
    }

    @Test func `classes`() {
        for data in reference.classes {
            expect(ClassScores(truth: data.truth, predictions: data.predictions), data.scores)
        }
    }

    @Test func `samples of experiments`() {
        for data in reference.probe {
            let rows = ProbeSamples.rows(labels: data.trainLabels, perLabel: 8, experimentCount: 10)
            #expect(rows == data.experiments.map(\.rows))
        }
    }

    @Test func `logistic regression`() async throws {
        for data in reference.probe {
            let (training, test) = (Vectors(data.train), Vectors(data.test))
            for experiment in data.experiments {
                let model = try await LogisticRegression.fit(
                    try training.rows(experiment.rows).matrix(),
                    labels: experiment.rows.map { data.trainLabels[$0] })
                let classes = model.classes(of: test)
                #expect(classes == experiment.classes)
                // What scikit-learn gives when it stops as early as MTEB lets it.
                let accuracy = ClassScores(truth: data.testLabels, predictions: classes).accuracy
                #expect(abs(accuracy - experiment.accuracy) < 1e-12)
            }
        }
    }

    @Test func `neighbors`() async throws {
        for data in reference.probe {
            let classes = try await NeighborClassifier.classes(
                of: Vectors(data.unitTest), training: Vectors(data.unitTrain), labels: data.trainLabels,
                neighborCount: 5)
            #expect(classes == data.neighbors)
        }
    }

    @Test func `V-measures`() {
        for data in reference.vMeasures {
            #expect(abs(vMeasure(truth: data.truth, clusters: data.clusters) - data.vMeasure) < 1e-12)
        }
    }

    /// Another start gives other clusters, so only the mean over ten starts is comparable.
    @Test func `clustering`() async throws {
        for data in reference.clustering {
            let vectors = Vectors(data.vectors)
            var measures: [Double] = []
            for seed in UInt32(0)..<10 {
                let clusters = try await KMeans.clusters(of: vectors, count: data.clusters, seed: seed)
                measures.append(vMeasure(truth: data.labels, clusters: clusters))
            }
            #expect(abs(measures.reduce(0, +) / 10 - data.vMeasure) < 0.05)
        }
    }

    @Test func `bitext`() async throws {
        let data = reference.bitext
        let scores = try await Bitext.scores(left: Vectors(data.left), right: Vectors(data.right))
        #expect(abs(scores.weightedPrecision - data.scores["precision"]!) < 1e-12)
        #expect(abs(scores.weightedRecall - data.scores["recall"]!) < 1e-12)
        #expect(abs(scores.weightedF1 - data.scores["f1"]!) < 1e-12)
        #expect(abs(scores.accuracy - data.scores["accuracy"]!) < 1e-12)
    }

    @Test func `Mersenne twister`() {
        let data = reference.twister
        var random = MersenneTwister(seed: 42)
        let words = (0..<1000).map { _ in random.nextUInt32() }
        #expect(words.prefix(5) + words.suffix(5) == data.words[...])
        random = MersenneTwister(seed: 7)
        #expect((0..<5).map { _ in random.nextDouble() } == data.doubles)
        for expected in data.shuffled {
            random = MersenneTwister(seed: 42)
            var values = Array(expected.indices)
            random.shuffle(&values)
            #expect(values == expected)
        }
    }

    private func expect(_ scores: ClassScores, _ expected: [String: Double]) {
        let got = [
            "accuracy": scores.accuracy, "precision": scores.precision, "recall": scores.recall, "f1": scores.f1,
            "precision_weighted": scores.weightedPrecision, "recall_weighted": scores.weightedRecall,
            "f1_weighted": scores.weightedF1,
        ]
        #expect(got.keys == expected.keys)
        for (name, value) in expected { #expect(abs((got[name] ?? .nan) - value) < 1e-12, "\(name)") }
    }
}
