// What clusters are about: the words that set the texts of each apart from all others.
public import Q3Linear
import Q3System

/// Words of clusters.
public enum ClusterNames {
    /// The `count` words of each cluster that tell most, best first; rows with nil belong to none and count as the others.
    ///
    /// A word counts once in each text. Its weight is p · log(p / q), with p the part of the cluster's texts that have it and q that of all
    /// texts: words that are everywhere weigh nothing. It must be in two texts of the cluster, if there are so many. Throws
    /// `outOfMemory`.
    public static func words(of texts: [String], clusters: [Int?], count: Int = 5) throws(LinearError) -> [[String]] {
        precondition(texts.count == clusters.count, "a cluster or nil for each text")
        let clusterCount = (clusters.lazy.compactMap { $0 }.max() ?? -1) + 1
        var all: [String: Int] = [:]
        var own = [[String: Int]](repeating: [:], count: clusterCount)
        var sizes = [Int](repeating: 0, count: clusterCount)
        // A dictionary keeps up to 8 slots for each 3 words.
        let slotBytes = MemoryLayout<(String, Int)>.stride * 8 / 3
        var vocabulary = GrowingMemory(arrayBytes: slotBytes)
        var vocabularies = GrowingMemory(arrayBytes: 0)
        for (text, cluster) in zip(texts, clusters) {
            let words = Set(words(of: text))
            for word in words {
                let known = all.count
                all[word, default: 0] += 1
                if all.count > known { try vocabulary.take(MemoryNeed.array(word.utf8.count, of: 1)) }
            }
            guard let cluster else { continue }
            sizes[cluster] += 1
            let known = own[cluster].count
            for word in words { own[cluster][word, default: 0] += 1 }
            try vocabularies.take((own[cluster].count - known) * slotBytes)
        }
        return own.enumerated().map { cluster, counts in
            let least = min(2, sizes[cluster])
            var weighed: [(word: String, weight: Double)] = []
            for (word, found) in counts where found >= least {
                let here = Double(found) / Double(sizes[cluster])
                let everywhere = Double(all[word] ?? found) / Double(texts.count)
                weighed.append((word, here * log(here / everywhere)))
            }
            weighed.sort { $0.weight != $1.weight ? $0.weight > $1.weight : $0.word < $1.word }
            return weighed.prefix(count).map(\.word)
        }
    }

    /// The words of a text in small letters: letters and digits, three at least of which one is a letter, or one letter of those
    /// scripts that write no spaces. A text's first 2,000 characters count.
    static func words(of text: String) -> [String] {
        var words: [String] = []
        var word = ""
        func finish() {
            if word.count > 2, word.contains(where: \.isLetter) { words.append(word) }
            word = ""
        }
        for character in text.prefix(2000).lowercased() {
            if let scalar = character.unicodeScalars.first, 0x3040...0x9FFF ~= scalar.value {
                finish()
                words.append(String(character))
            } else if character.isLetter || character.isNumber {
                word.append(character)
            } else {
                finish()
            }
        }
        finish()
        return words
    }
}
