// The tokenizer case: how fast text becomes tokens.
import Q3GGUF
import Q3System
import Q3Tokenizer

struct TokenizerCase {
    let setup: BenchSetup

    /// Prose in several scripts and code; the words are put together anew for every copy.
    private static let sample = """
        The capital of China is Beijing, a city of more than 21 million people (2020 census). Gravity pulls bodies \
        towards each other; that's why the moon hasn't left us. Die Straßenbahn fährt über die Brücke zum Münster. \
        L'été dernier, nous avons traversé les Pyrénées à vélo. Быстрая коричневая лиса перепрыгивает через ленивую \
        собаку. 深度学习模型将文本映射为向量，相似的文本距离更近。東京は日本の首都です。 서울은 대한민국의 수도이다. \
        func dot(_ a: [Float], _ b: [Float]) -> Float { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } } \
        for (size_t i = 0; i < n; i++) { sum += (double)x[i] * y[i]; } // https://example.com/path?query=42#anchor \
        SELECT id, AVG(score) FROM results WHERE created_at >= '2024-01-31' GROUP BY id HAVING COUNT(*) > 10; 😀👍🏽
        """

    private static var text: String {
        var random = SeededGenerator(seed: 5)
        let words = sample.split(separator: " ")
        var text = ""
        while text.utf8.count < 1 << 20 {
            text += words.shuffled(using: &random).joined(separator: " ")
            text += "\n"
        }
        return text
    }

    /// Nothing, and a line that says so, for a file without a vocabulary.
    func run() throws -> [Measurement] {
        guard setup.file.metadata.keys.contains(TokenizerKey.tokens) else {
            Terminal.say("tokenizer: skipped, the model has no vocabulary")
            return []
        }
        let tokenizer = try Tokenizer(metadata: setup.file.metadata)
        let text = Self.text
        ResidentMemory.resetPeak()
        var tokenCount = 0
        if setup.warmsUp { tokenCount = tokenizer.encode(text).count }
        let clock = ContinuousClock()
        let seconds = (0..<setup.repeatCount).map { _ in
            clock.measure { tokenCount = tokenizer.encode(text).count } / .seconds(1)
        }
        return [
            Measurement(
                benchCase: .tokenizer, tokenCount: tokenCount, distinctTokenCount: tokenCount, seconds: seconds,
                peakResidentBytes: ResidentMemory.peakByteCount, threads: 1, byteCount: text.utf8.count)
        ]
    }
}
