// The instruction that goes with a task's texts, as the evaluation of Qwen3-Embedding words it.
import Q3Embedding

package struct TaskInstruction: Sendable, Equatable {
    package let text: String
    /// Whether documents carry it too, because queries and documents are texts of one kind.
    package let isSymmetric: Bool

    package init(_ text: String, isSymmetric: Bool) {
        self.text = text
        self.isSymmetric = isSymmetric
    }

    /// For semantic similarity; the reference takes it for every data set of that kind.
    package static let sts = TaskInstruction("Retrieve semantically similar text", isSymmetric: true)
    package static let bitext = TaskInstruction("Retrieve parallel sentences", isSymmetric: true)
    /// MTEB's words for data sets that have none of their own; the reference has a sentence for each of its data sets.
    package static let classification = TaskInstruction("Classify user passages.", isSymmetric: true)
    package static let clustering = TaskInstruction("Identify categories in user passages.", isSymmetric: true)

    /// Of the data sets of BEIR, by the name of the folder that its download unpacks to; of any other the model card's.
    package static func retrieval(dataset: String) -> TaskInstruction {
        if dataset == "arguana" {
            return TaskInstruction("Given a claim, find documents that refute the claim", isSymmetric: true)
        }
        return TaskInstruction(beir[dataset] ?? Prompt.defaultTask, isSymmetric: false)
    }

    private static let beir = [
        "climate-fever": "Given a claim about climate change, retrieve documents that support or refute the claim",
        "dbpedia-entity": "Given a query, retrieve relevant entity descriptions from DBPedia",
        "fever": "Given a claim, retrieve documents that support or refute the claim",
        "fiqa": "Given a financial question, retrieve user replies that best answer the question",
        "hotpotqa": "Given a multi-hop question, retrieve documents that can help answer the question",
        "nfcorpus": "Given a question, retrieve relevant documents that best answer the question",
        "nq": "Given a question, retrieve Wikipedia passages that answer the question",
        "quora": "Given a question, retrieve questions that are semantically equivalent to the given question",
        "scidocs": "Given a scientific paper title, retrieve paper abstracts that are cited by the given paper",
        "scifact": "Given a scientific claim, retrieve documents that support or refute the claim",
        "trec-covid": "Given a query on COVID-19, retrieve documents that answer the query",
        "webis-touche2020": "Given a question, retrieve detailed and persuasive arguments that answer the question",
    ]
}
