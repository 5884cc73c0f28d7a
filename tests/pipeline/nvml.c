/* Stands in for libnvidia-ml.so.1: two devices whose failures are set from outside.

   NVML_FAIL_INIT, NVML_FAIL_ALL: the error code that a call gives. NVML_HANG: seconds
   that asking for a rate takes. NVML_NO_POWER: 1 for devices that do not tell their
   power. NVML_FAIL_FILE: a file; while it exists, every call about a device fails as
   lost. NVML_COUNT: how many devices there are. Compiled with -DOLD it is a driver
   that knows throttle reasons only by their old name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SUCCESS 0
#define NOT_SUPPORTED 3
#define INSUFFICIENT_SIZE 7
#define GPU_IS_LOST 15

typedef struct { unsigned gpu, memory; } Rates;
typedef struct { unsigned long long total, free, used; } Memory;
typedef struct {
    unsigned pid;
    unsigned long long used;
    unsigned instance, compute;
} Process;

static int ready = 0;
static int numbers[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static int set(const char *name) {
    const char *text = getenv(name);
    return text ? atoi(text) : 0;
}

static int failure(void) {
    const char *file = getenv("NVML_FAIL_FILE");
    if (!ready) return 1; /* uninitialized */
    if (file && access(file, F_OK) == 0) return GPU_IS_LOST;
    return set("NVML_FAIL_ALL");
}

int nvmlInitWithFlags(unsigned flags) {
    int code = set("NVML_FAIL_INIT");
    if (!code) ready = 1;
    return code;
}
int nvmlShutdown(void) { ready = 0; return SUCCESS; }
const char *nvmlErrorString(int code) {
    return code == 9 ? "Driver Not Loaded" : code == 15 ? "GPU is lost" : "Unknown Error";
}
int nvmlDeviceGetCount_v2(unsigned *count) {
    *count = getenv("NVML_COUNT") ? set("NVML_COUNT") : 2;
    return failure();
}
int nvmlDeviceGetHandleByIndex_v2(unsigned number, void **device) {
    *device = &numbers[number];
    return failure();
}
int nvmlDeviceGetUUID(int *device, char *text, unsigned size) {
    snprintf(text, size, "GPU-0000000%d", *device);
    return failure();
}
int nvmlDeviceGetName(int *device, char *text, unsigned size) {
    snprintf(text, size, "Stand-in %d", *device);
    return failure();
}
int nvmlDeviceGetUtilizationRates(int *device, Rates *rates) {
    if (set("NVML_HANG")) sleep(set("NVML_HANG"));
    rates->gpu = 25 + 50 * *device;
    rates->memory = 10;
    return failure();
}
int nvmlDeviceGetMemoryInfo(int *device, Memory *memory) {
    memory->total = 16ull << 30;
    memory->used = (1ull + *device) << 30;
    memory->free = memory->total - memory->used;
    return failure();
}
int nvmlDeviceGetTemperature(int *device, int sensor, unsigned *celsius) {
    *celsius = 40 + 10 * *device;
    return failure();
}
int nvmlDeviceGetPowerUsage(int *device, unsigned *milliwatts) {
    *milliwatts = 71500;
    return set("NVML_NO_POWER") ? NOT_SUPPORTED : failure();
}
static int reasons(int *device, unsigned long long *found) {
    *found = *device ? 0x04 | 0x40 : 0x01; /* capped and hot; the other one idle */
    return failure();
}
int nvmlDeviceGetCurrentClocksThrottleReasons(int *device, unsigned long long *found) {
    return reasons(device, found);
}
#ifndef OLD
int nvmlDeviceGetCurrentClocksEventReasons(int *device, unsigned long long *found) {
    return reasons(device, found);
}
#endif
int nvmlDeviceGetComputeRunningProcesses_v3(int *device, unsigned *count, Process *found) {
    int code = failure();
    if (code) return code;
    if (*device == 0) { *count = 0; return SUCCESS; }
    if (*count < 2) { *count = 2; return INSUFFICIENT_SIZE; }
    *count = 2;
    memset(found, 0, 2 * sizeof *found);
    found[0].pid = getpid();
    found[0].used = 512ull << 20;
    found[1].pid = 1;
    found[1].used = 100ull << 20;
    return SUCCESS;
}
