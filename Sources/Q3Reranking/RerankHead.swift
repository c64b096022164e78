// The last matrix of a reranker, of which only the rows for yes and no are ever needed.
public import Q3GGUF
import Q3Model
import Q3System
import Q3Tokenizer

/// Where the logits of yes and no come from, as the file alone says.
public enum RerankHeadSource: Sendable, Equatable {
    /// `cls.output.weight`, with the row of each label.
    case classifier(yesRow: Int, noRow: Int)
    /// `cls.output.weight` with a single row: one logit, whose sigmoid is the score.
    case logit
    /// `output.weight`: the language model's own output, at the tokens yes and no.
    case output
    /// `token_embd.weight`, which models with tied embeddings use as their output.
    case tiedEmbeddings

    /// The tensor whose rows are used.
    public var tensorName: String {
        let part: Qwen3Schema.Part =
            switch self {
            case .classifier, .logit: .classifier
            case .output: .output
            case .tiedEmbeddings: .tokenEmbedding
            }
        return Qwen3Schema.Tensor(part).name
    }

    /// From this hidden size up, files without an output matrix are refused: of Qwen3's language models those of 4096
    /// and 5120 have an output of their own, those of 1024 to 2560 share the token embeddings. A tool that drops the
    /// output makes both look alike. Below this size that is a guess, for models of other makers; where the key
    /// `q3.tied_embeddings` tells, as in files of `q3 convert`, there is nothing to guess.
    static let smallestUntiedSize = 4096

    /// Finds the head, most explicit first, and never guesses the order of labels.
    public init(file: GGUFFile, hiddenSize: Int) throws {
        if let classifier = file.tensor(named: Qwen3Schema.Tensor(.classifier).name) {
            let list = try file.metadata.optionalStringArray(Qwen3Schema.Key.labels)
            if classifier.rowCount == 1, list?.count ?? 1 == 1 {
                self = .logit
                return
            }
            guard let list else { throw RerankError.missingLabels }
            // Counted before it is copied: a hostile file may list a billion labels.
            guard list.count == 2 else { throw RerankError.labelCount(list.count) }
            let labels = list.makeStrings()
            guard let yes = labels.firstIndex(of: "yes"), let no = labels.firstIndex(of: "no") else {
                throw RerankError.labels(labels)
            }
            guard classifier.rowCount == labels.count else {
                throw RerankError.classifierRows(rows: classifier.rowCount, labels: labels.count)
            }
            self = .classifier(yesRow: yes, noRow: no)
        } else if file.tensor(named: Qwen3Schema.Tensor(.output).name) != nil {
            self = .output
        } else if try file.metadata.optionalBool(Qwen3Schema.Key.isTied) ?? (hiddenSize < Self.smallestUntiedSize) {
            self = .tiedEmbeddings
        } else {
            throw RerankError.missingHead(hiddenSize: hiddenSize)
        }
    }
}

/// The two rows, in f32 whatever the file's type is.
struct RerankHead: Sendable {
    let source: RerankHeadSource
    /// [hiddenSize]
    let yes: [Float]
    let no: [Float]

    init(model: Qwen3Model, tokenizer: Tokenizer) throws {
        source = try RerankHeadSource(file: model.file, hiddenSize: model.config.hiddenSize)
        let name = source.tensorName
        func row(_ index: Int) throws -> [Float] {
            guard let row = try model.dequantizedRow(index, of: name) else {
                throw RerankError.missingHead(hiddenSize: model.config.hiddenSize)
            }
            guard row.allSatisfy(\.isFinite) else { throw RerankError.nonFiniteHead(tensor: name) }
            return row
        }
        func row(of piece: String) throws -> [Float] {
            guard let id = tokenizer.id(ofPiece: piece) else { throw RerankError.missingPiece(piece) }
            return try row(Int(id))
        }
        switch source {
        case .classifier(let yesRow, let noRow): (yes, no) = (try row(yesRow), try row(noRow))
        case .logit:
            yes = try row(0)
            no = [Float](repeating: 0, count: yes.count)
        case .output, .tiedEmbeddings: (yes, no) = (try row(of: "yes"), try row(of: "no"))
        }
    }

    /// The logit of yes minus the logit of no at a hidden state, [hiddenSize].
    func margin(_ hiddenState: [Float]) throws(RerankError) -> Float {
        guard hiddenState.contains(where: { $0 != 0 }) else { throw .zeroState }
        var margin = 0.0
        for (i, value) in hiddenState.enumerated() {
            margin += Double(value) * (Double(yes[i]) - Double(no[i]))
        }
        guard margin.isFinite else { throw .nonFinite }
        return Float(margin)
    }
}

/// The probability of yes against no: the softmax over the two logits, of which only the difference matters.
func probability(ofMargin margin: Float) -> Float {
    Float(1 / (1 + exp(-Double(margin))))
}
