/* A v4l2loopback device for one process, put in front of libc by LD_PRELOAD: /dev/video9 opens, answers ioctls and
 * takes pictures. Structures and numbers are those of the kernel's own header. What it is told goes to $FAKE_LOG, one
 * line a call, and pictures to $FAKE_PICTURES. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define NODE "/dev/video9"
static int device = -1;
static struct v4l2_pix_format now;

static void note(const char *format, ...)
{
    FILE *log = fopen(getenv("FAKE_LOG"), "a");
    va_list rest;
    va_start(rest, format);
    vfprintf(log, format, rest);
    va_end(rest);
    fclose(log);
}

static int open_fake(int flags)
{
    int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
    device = real("/dev/null", O_RDWR);
    note("open rdwr=%d nonblock=%d\n", (flags & O_ACCMODE) == O_RDWR, !!(flags & O_NONBLOCK));
    return device;
}

#define OPEN(name)                                                                                                    \
    int name(const char *path, int flags, ...)                                                                        \
    {                                                                                                                 \
        int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, #name);                                                \
        va_list rest;                                                                                                 \
        int mode;                                                                                                     \
        if (!strcmp(path, NODE))                                                                                      \
            return open_fake(flags);                                                                                  \
        va_start(rest, flags);                                                                                        \
        mode = va_arg(rest, int);                                                                                     \
        va_end(rest);                                                                                                 \
        return real(path, flags, mode);                                                                               \
    }
OPEN(open)
OPEN(open64)

int ioctl(int file, unsigned long request, ...)
{
    int (*real)(int, unsigned long, ...) = dlsym(RTLD_NEXT, "ioctl");
    va_list rest;
    void *argument;
    va_start(rest, request);
    argument = va_arg(rest, void *);
    va_end(rest);
    if (file != device)
        return real(file, request, argument);
    switch ((unsigned)request) {
    case (unsigned)VIDIOC_QUERYCAP: {
        struct v4l2_capability *is = argument;
        memset(is, 0, sizeof *is);
        strcpy((char *)is->driver, "v4l2 loopback");
        strcpy((char *)is->card, "Shim");
        is->device_caps = V4L2_CAP_VIDEO_OUTPUT | V4L2_CAP_READWRITE;
        is->capabilities = is->device_caps | V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_DEVICE_CAPS;
        note("querycap\n");
        return 0;
    }
    case (unsigned)VIDIOC_S_FMT: {
        struct v4l2_format *is = argument;
        struct v4l2_pix_format *pix = &is->fmt.pix;
        note("s_fmt type=%u %ux%u %.4s field=%u stride=%u image=%u colorspace=%u priv=%x encoding=%u range=%u transfer=%u\n",
             is->type, pix->width, pix->height, (char *)&pix->pixelformat, pix->field, pix->bytesperline,
             pix->sizeimage, pix->colorspace, pix->priv, pix->ycbcr_enc, pix->quantization, pix->xfer_func);
        if (is->type != V4L2_BUF_TYPE_VIDEO_OUTPUT || pix->pixelformat != V4L2_PIX_FMT_YUV420) {
            errno = EINVAL;
            return -1;
        }
        now = *pix;
        return 0;
    }
    case (unsigned)VIDIOC_S_PARM: {
        struct v4l2_streamparm *is = argument;
        note("s_parm type=%u %u/%u\n", is->type, is->parm.output.timeperframe.numerator,
             is->parm.output.timeperframe.denominator);
        return 0;
    }
    }
    note("unknown %lx\n", request);
    errno = ENOTTY;
    return -1;
}

ssize_t write(int file, const void *data, size_t bytes)
{
    ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
    FILE *pictures;
    if (file != device)
        return real(file, data, bytes);
    note("write %zu\n", bytes);
    pictures = fopen(getenv("FAKE_PICTURES"), "ab");
    fwrite(data, 1, bytes, pictures);
    fclose(pictures);
    return (ssize_t)bytes;
}

int close(int file)
{
    int (*real)(int) = dlsym(RTLD_NEXT, "close");
    if (file >= 0 && file == device) {
        note("close\n");
        device = -1;
    }
    return real(file);
}
