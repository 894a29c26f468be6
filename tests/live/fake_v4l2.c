/* A camera in place of the kernel's, for LD_PRELOAD: every named pipe is one. A letter that is written to the pipe
   is what happens next: f a picture, x the camera is pulled out. Where there is none, VIDIOC_DQBUF waits, as a camera
   that hangs makes it. Answers as the kernel's Video for Linux API has them. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BUFFERS = 4, GREY = 120 };

static unsigned width, height, code, bytes, next;
static volatile int waits;

static int is_camera(int file) {
    struct stat what;
    return !fstat(file, &what) && S_ISFIFO(what.st_mode);
}

static int fails(int why) {
    errno = why;
    return -1;
}

static int dequeue(int file, struct v4l2_buffer *buffer) {
    char what;
    struct timespec now;
    waits = 1;
    ssize_t got = read(file, &what, 1);
    waits = 0;
    if (got != 1 || what == 'o')
        return fails(EINVAL);
    if (what == 'x')
        return fails(ENODEV);
    clock_gettime(CLOCK_MONOTONIC, &now);
    buffer->index = next++ % BUFFERS;
    buffer->bytesused = bytes;
    buffer->flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
    buffer->timestamp.tv_sec = now.tv_sec;
    buffer->timestamp.tv_usec = now.tv_nsec / 1000;
    return 0;
}

static int answer(int file, unsigned long request, void *data) {
    struct v4l2_capability *can = data;
    struct v4l2_format *format = data;
    struct v4l2_streamparm *rate = data;
    struct v4l2_buffer *buffer = data;
    switch (request) {
    case VIDIOC_QUERYCAP:
        memset(can, 0, sizeof *can);
        strcpy((char *)can->card, "Fake");
        can->capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
        return 0;
    case VIDIOC_S_FMT:
        width = format->fmt.pix.width, height = format->fmt.pix.height, code = format->fmt.pix.pixelformat;
        /* fall through */
    case VIDIOC_G_FMT:
        bytes = width * height * 2;
        format->fmt.pix.width = width, format->fmt.pix.height = height, format->fmt.pix.pixelformat = code;
        format->fmt.pix.bytesperline = width * 2, format->fmt.pix.sizeimage = bytes;
        format->fmt.pix.field = V4L2_FIELD_NONE;
        return 0;
    case VIDIOC_G_PARM:
    case VIDIOC_S_PARM:
        rate->parm.capture.capability = V4L2_CAP_TIMEPERFRAME;
        rate->parm.capture.timeperframe.numerator = 1, rate->parm.capture.timeperframe.denominator = 30;
        return 0;
    case VIDIOC_REQBUFS:
        ((struct v4l2_requestbuffers *)data)->count = BUFFERS;
        return 0;
    case VIDIOC_QUERYBUF:
        buffer->length = bytes, buffer->m.offset = buffer->index * bytes;
        return 0;
    case VIDIOC_DQBUF:
        return dequeue(file, buffer);
    case VIDIOC_STREAMOFF:
        return waits && write(file, "o", 1) != 1 ? -1 : 0; /* wakes who waits in DQBUF */
    case VIDIOC_STREAMON:
    case VIDIOC_QBUF:
    case VIDIOC_S_INPUT:
        return 0;
    case VIDIOC_G_INPUT:
        *(int *)data = 0;
        return 0;
    case VIDIOC_ENUMINPUT:
        ((struct v4l2_input *)data)->std = 0;
        return 0;
    }
    return fails(ENOTTY);
}

int ioctl(int file, unsigned long request, ...) {
    va_list rest;
    va_start(rest, request);
    void *data = va_arg(rest, void *);
    va_end(rest);
    request &= 0xffffffff; /* FFmpeg passes it as an int */
    if ((request >> 8 & 0xff) == 'V' && is_camera(file))
        return answer(file, request, data);
    int (*real)(int, unsigned long, ...) = dlsym(RTLD_NEXT, "ioctl");
    return real(file, request, data);
}

void *mmap64(void *where, size_t size, int protection, int flags, int file, off64_t offset) {
    void *(*real)(void *, size_t, int, int, int, off64_t) = dlsym(RTLD_NEXT, "mmap64");
    if (file < 0 || !is_camera(file))
        return real(where, size, protection, flags, file, offset);
    void *memory = real(where, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED)
        memset(memory, GREY, size);
    return memory;
}
