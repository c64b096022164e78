// The prompts, byte for byte as the model card has them.
import Q3Embedding
import Testing

@Suite struct PromptTests {
    @Test func `documents stay as they are`() {
        #expect(Prompt.document.applied(to: "  a {text} \n") == "  a {text} \n")
    }

    @Test func `queries have no space after the colon`() {
        #expect(
            Prompt.query().applied(to: "how?")
                == "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:how?")
    }

    /// A task is put in once; what looks like a hole in it is text.
    @Test(arguments: ["{text}", "{task}", "%s", "$1", "\\(q)", "{{7*7}}"]) func `holes in texts stay`(_ text: String) {
        #expect(Prompt.query(task: text).applied(to: text) == "Instruct: \(text)\nQuery:\(text)")
    }

    @Test func `template is what is applied`() {
        #expect(Prompt.query(task: "{task}").applied(to: "{text}") == Prompt.queryTemplate)
    }
}
