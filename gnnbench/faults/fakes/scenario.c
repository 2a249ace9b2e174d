/* What the fake libraries answer: a file of lines `key=value`, named by GNNBENCH_FAKE_GPUS and read anew at every
 * question, so that a GPU can fall ill while a process watches it.
 *
 *   gpu0.temperature=45          an answer; a key that is not there is "not supported"
 *   fail.FUNCTION=15             that code in place of an answer, from every GPU
 *   gpu1.fail.FUNCTION=15        from one GPU
 *   fail.FUNCTION@3=999          at the third call of this function since the library was initialised
 *   fail@17=999                  at the seventeenth call of all since then
 *   hang..., crash...            likewise: never to return, or to die of SIGSEGV
 *
 * In text, \xHH is one byte. Numbers are C's: decimal or 0x..., negative ones wrap as they do in NVML.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE = 512, FUNCTIONS = 256, SCENARIO = 1 << 18 };

/* The scenario as it stands now: read again where the file is another, or was written since. */
static const char *scenario(void) {
    static char lines[SCENARIO];
    static struct stat read_of;
    struct stat now;
    const char *path = getenv("GNNBENCH_FAKE_GPUS");
    FILE *file;
    if (!path || stat(path, &now)) return "";
    if (now.st_ino == read_of.st_ino && now.st_mtim.tv_sec == read_of.st_mtim.tv_sec &&
        now.st_mtim.tv_nsec == read_of.st_mtim.tv_nsec && now.st_size == read_of.st_size)
        return lines;
    file = fopen(path, "r");
    if (!file) return "";
    lines[fread(lines, 1, SCENARIO - 1, file)] = 0;
    fclose(file);
    read_of = now;
    return lines;
}

/* The value of `prefix` + `key`, in a buffer that lasts until the next few questions; NULL where there is none. */
static const char *find(const char *prefix, const char *key) {
    static char values[8][LINE];
    static int turn;
    char *value = values[turn++ % 8];
    size_t first = strlen(prefix), second = strlen(key);
    const char *line = scenario();
    while (*line) {
        size_t length = strcspn(line, "\n");
        if (!strncmp(line, prefix, first) && !strncmp(line + first, key, second) && line[first + second] == '=') {
            snprintf(value, LINE, "%.*s", (int)(length - first - second - 1), line + first + second + 1);
            return value;
        }
        line += length + (line[length] == '\n');
    }
    return NULL;
}

static int number(const char *prefix, const char *key, unsigned long long *value) {
    const char *text = find(prefix, key);
    if (!text) return 0;
    *value = *text == '-' ? (unsigned long long)strtoll(text, NULL, 0) : strtoull(text, NULL, 0);
    return 1;
}

static int text(const char *prefix, const char *key, char *target, size_t size) {
    const char *from = find(prefix, key);
    size_t length = 0;
    if (!from) return 0;
    while (*from && length + 1 < size) {
        char hex[3] = {0};
        if (from[0] == '\\' && from[1] == 'x' && from[2] && from[3]) {
            memcpy(hex, from + 2, 2);
            target[length++] = (char)strtol(hex, NULL, 16);
            from += 4;
        } else {
            target[length++] = *from++;
        }
    }
    target[length] = 0;
    return 1;
}

/* Count a call, and do to it what the scenario says: 0 to go on, else the code to answer. */
static int enter(const char *function, const char *prefix) {
    static struct { const char *name; int calls; } known[FUNCTIONS];
    static int all;
    static const char *const fates[] = {"crash", "hang", "fail"};
    int place = 0, fate, form;
    if (!strncmp(function, "nvmlInit", 8) || !strcmp(function, "cuInit")) {
        memset(known, 0, sizeof known);
        all = 0;
    }
    while (place < FUNCTIONS - 1 && known[place].name && strcmp(known[place].name, function)) place++;
    known[place].name = function;
    known[place].calls++;
    all++;
    for (fate = 0; fate < 3; fate++) {
        char keys[4][LINE];
        snprintf(keys[0], LINE, "%s.%s", fates[fate], function);
        snprintf(keys[1], LINE, "%s.%s@%d", fates[fate], function, known[place].calls);
        snprintf(keys[2], LINE, "%s@%d", fates[fate], all);
        snprintf(keys[3], LINE, "%s%s.%s", prefix, fates[fate], function);
        for (form = 0; form < 4; form++) {
            unsigned long long code = 0;
            if (!number("", keys[form], &code) || !code) continue;
            if (fate == 0) raise(SIGSEGV);
            while (fate == 1) pause();
            return (int)code;
        }
    }
    return 0;
}
