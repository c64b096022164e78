// libq3 from C: opens a model, embeds texts, cancels a call, and says what is wrong with a file.
//     cc example.c -I Sources/CQ3/include -L FOLDER -lq3 -o example
#include <q3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failed(const q3_error *error) {
    fprintf(stderr, "error: %s\n", error->message);
    return EXIT_FAILURE;
}

// usage: example [MODEL.gguf]
int main(int argc, char **argv) {
    char message[512] = "";
    q3_error error = {.size = sizeof error, .message = message, .capacity = sizeof message};
    if (q3_abi_version() != Q3_ABI_VERSION) {
        fprintf(stderr, "error: q3.h is of another version than libq3\n");
        return EXIT_FAILURE;
    }

    q3_open_options open = {.size = sizeof open, .kind = Q3_EMBEDDER, .threads = 2};
    q3_model *model;
    if (q3_open(argc > 1 ? argv[1] : NULL, &open, &model, &error) != Q3_OK) return failed(&error);

    q3_info info = {.size = sizeof info};
    char fingerprint[17];
    if (q3_model_info(model, &info, &error) != Q3_OK) return failed(&error);
    if (q3_model_text(model, Q3_TEXT_FINGERPRINT, fingerprint, sizeof fingerprint, NULL, &error) != Q3_OK)
        return failed(&error);
    printf("fingerprint %s, %d dimensions, libq3 %s\n", fingerprint, info.dimensions, q3_version());

    // Two texts: "Beijing." and "Bread and salt."
    const char *bytes = "Beijing.Bread and salt.";
    const int64_t offsets[] = {0, 8, 23};
    const q3_texts texts = {.bytes = (const uint8_t *)bytes, .offsets = offsets, .count = 2};
    const q3_embed_options options = {.size = sizeof options, .dimensions = 8};
    float vectors[2][8];
    q3_result results[2];
    q3_ticket *ticket = q3_ticket_create();
    if (q3_embed(model, &texts, &options, vectors, sizeof vectors, results, ticket, &error) != Q3_OK)
        return failed(&error);
    for (int i = 0; i < 2; i++) {
        printf("%d tokens:", results[i].token_count);
        for (int j = 0; j < 8; j++) printf(" %08x", *(uint32_t *)memcpy(&(uint32_t){0}, &vectors[i][j], 4));
        printf("\n");
    }

    q3_ticket_cancel(ticket);
    if (q3_embed(model, &texts, &options, vectors, sizeof vectors, NULL, ticket, &error) != Q3_CANCELLED)
        return EXIT_FAILURE;
    printf("%s\n", message);

    q3_ticket_close(ticket);
    q3_close(model);
    if (q3_embed(model, &texts, &options, vectors, sizeof vectors, NULL, NULL, &error) != Q3_BAD_ARGUMENT)
        return EXIT_FAILURE;
    printf("%s\n", message);
    return EXIT_SUCCESS;
}
