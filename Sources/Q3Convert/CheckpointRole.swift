// What a checkpoint is for, as its folder says.
import Q3Model

extension ModelRole.Kind {
    /// What the folder says, `unstated` if nothing does: both models come as causal language models.
    init(of folder: CheckpointFolder) {
        let name = folder.name.lowercased()
        if let role = folder.modules.role {
            self = role
        } else if folder.config.isClassifier {
            self = .reranker
        } else if folder.config.architectures == ["Qwen3Model"] || name.contains("embed") {
            self = .embedding
        } else if name.contains("rerank") {
            self = .reranker
        } else {
            self = .unstated
        }
    }
}
