"""The same calls in q3 and in sentence-transformers, on a tiny checkpoint that `q3 convert` turned into a GGUF file."""

import json
import shutil
import subprocess

import numpy as np
import pytest
import q3
from conftest import FIXTURES

torch = pytest.importorskip("torch")
st = pytest.importorskip("sentence_transformers")

TEXTS = [
    "The capital of China is Beijing.", "Gravity pulls bodies towards each other.", "naïve café 東京 🙂", "Bread and salt.", "a",
    "What is the capital of China?", "one two three four five six seven eight nine ten " * 5,
]


@pytest.fixture(scope="module")
def both(program, tmp_path_factory):
    """The model of sentence-transformers, and q3's of the same weights."""
    folder = FIXTURES / "checkpoints" / "tiny-embedding"
    path = tmp_path_factory.mktemp("converted") / "tiny.gguf"
    subprocess.run([program, "convert", folder, "-o", path, "--type", "f32"], check=True, capture_output=True)
    try:
        from sentence_transformers.sentence_transformer import modules as models
        from sentence_transformers.base.modules import Transformer
    except ImportError:
        from sentence_transformers import models

        Transformer = models.Transformer
    # Without the chat template, with which every text would be read as a message.
    plain = shutil.copytree(folder, path.parent / "plain")
    (plain / "chat_template.jinja").unlink(missing_ok=True)
    settings = json.loads((plain / "tokenizer_config.json").read_text())
    settings.pop("chat_template", None)
    (plain / "tokenizer_config.json").write_text(json.dumps(settings))
    transformer = Transformer(str(plain), model_kwargs={"dtype": torch.float32})
    transformer.tokenizer.padding_side = "left"
    size = transformer.get_embedding_dimension() if hasattr(transformer, "get_embedding_dimension") else transformer.get_word_embedding_dimension()
    # Files of these models end every text with <|endoftext|>; the tiny tokenizer does not.
    end = "<|endoftext|>"
    prompts = {"query": "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:", "document": ""}
    reference = st.SentenceTransformer(
        modules=[transformer, models.Pooling(size, pooling_mode="lasttoken"), models.Normalize()], prompts=prompts, device="cpu"
    )
    adds_end = transformer.tokenizer("a")["input_ids"][-1] == transformer.tokenizer.convert_tokens_to_ids(end)
    with q3.SentenceTransformer(path, precision="exact", long_texts="truncate") as model:
        yield reference, model, "" if adds_end else end


def far(a, b):
    """The greatest 1 - cosine of two lists of vectors."""
    a, b = np.atleast_2d(np.asarray(a, np.float64)), np.atleast_2d(np.asarray(b, np.float64))
    return float(np.max(1 - (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)))


def test_vectors_agree(both):
    reference, model, end = both
    ended = [text + end for text in TEXTS]
    assert far(reference.encode(ended), model.encode(TEXTS)) < 1e-6
    assert far(reference.encode_query(ended), model.encode_query(TEXTS)) < 1e-6
    assert far(reference.encode_document(ended), model.encode_document(TEXTS)) < 1e-6
    assert far(reference.encode(ended[0], prompt="x: "), model.encode(TEXTS[0], prompt="x: ")) < 1e-6
    for size in (1, 8, 32):
        assert far(reference.encode(ended, truncate_dim=size), model.encode(TEXTS, truncate_dim=size)) < 1e-6
    assert model.prompts == reference.prompts


def test_shapes_and_types_agree(both):
    reference, model, end = both
    for arguments in (
        {}, {"convert_to_tensor": True}, {"precision": "binary"}, {"precision": "ubinary"}, {"truncate_dim": 8},
        {"normalize_embeddings": True}, {"batch_size": 2},
    ):
        for texts in (TEXTS, TEXTS[:1], TEXTS[0]):
            theirs = reference.encode([t + end for t in texts] if isinstance(texts, list) else texts + end, **arguments)
            ours = model.encode(texts, **arguments)
            assert (type(ours), ours.shape, ours.dtype) == (type(theirs), theirs.shape, theirs.dtype), (arguments, texts)


def test_quantization_agrees_on_the_same_vectors(both):
    from q3._similarity import quantized
    from sentence_transformers.util import quantize_embeddings

    vectors = np.random.default_rng(0).normal(size=(300, 64)).astype(np.float32)
    for precision in ("uint8", "binary", "ubinary"):
        assert np.array_equal(quantized(vectors, precision), quantize_embeddings(vectors, precision)), precision
    # Before 6.0 they rounded int8 towards zero, as q3 does; now they round down, which is one less below zero.
    ours, theirs = quantized(vectors, "int8").astype(int), quantize_embeddings(vectors, "int8").astype(int)
    assert np.isin(ours - theirs, (0, 1)).all() and np.array_equal(ours[ours > 0], theirs[ours > 0])


def test_similarities_agree(both):
    reference, model, _ = both
    a, b = model.encode(TEXTS[:4]), model.encode(TEXTS[3:])
    for name in ("cosine", "dot", "euclidean", "manhattan"):
        reference.similarity_fn_name = model.similarity_fn_name = name
        assert np.allclose(reference.similarity(a, b).numpy(), model.similarity(a, b), atol=2e-5), name
        assert np.allclose(reference.similarity_pairwise(a, b).numpy(), model.similarity_pairwise(a, b), atol=2e-5), name
        assert isinstance(model.similarity(torch.from_numpy(a), torch.from_numpy(b)), torch.Tensor)
    reference.similarity_fn_name = model.similarity_fn_name = "cosine"


def test_every_argument_of_theirs_is_known(both):
    import inspect

    pairs = [
        (st.SentenceTransformer, q3.SentenceTransformer, ("__init__", "encode", "similarity", "similarity_pairwise")),
        (st.CrossEncoder, q3.CrossEncoder, ("__init__", "predict", "rank")),
    ]
    for theirs, ours, names in pairs:
        for name in names:
            missing = [
                argument
                for argument, kind in inspect.signature(getattr(theirs, name)).parameters.items()
                if kind.kind is not inspect.Parameter.VAR_KEYWORD and argument not in inspect.signature(getattr(ours, name)).parameters
                and argument not in ("keep_in_fp32_modules",)
            ]
            assert not missing, (ours, name, missing)


def test_the_order_of_a_rerankers_own_recipe(program, tmp_path):
    """`rank` against the logits of yes and no that transformers gives for the model card's prompt."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = FIXTURES / "checkpoints" / "tiny-reranker"
    path = tmp_path / "tiny.gguf"
    subprocess.run([program, "convert", folder, "-o", path, "--type", "f32"], check=True, capture_output=True)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    causal = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    query = "What is the capital of China?"
    before = (
        '<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct provided. '
        'Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n'
    )
    after = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
    task = "Given a web search query, retrieve relevant passages that answer the query"
    margins = []
    for document in TEXTS:
        ids = tokenizer(f"{before}<Instruct>: {task}\n<Query>: {query}\n<Document>: {document}{after}", add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            logits = causal(torch.tensor([ids])).logits[0, -1]
        margins.append(float(logits[tokenizer.convert_tokens_to_ids("yes")] - logits[tokenizer.convert_tokens_to_ids("no")]))
    with q3.CrossEncoder(path, precision="exact") as model:
        ranked = model.rank(query, TEXTS)
        assert np.allclose(model.margins(query, TEXTS), margins, atol=1e-4)
        assert [entry["corpus_id"] for entry in ranked] == list(np.argsort(-np.array(margins), kind="stable"))
        ours = model.predict([(query, text) for text in TEXTS], activation_fn=torch.nn.Sigmoid())
        assert np.allclose(ours, torch.sigmoid(torch.tensor(margins)).numpy(), atol=1e-5)
