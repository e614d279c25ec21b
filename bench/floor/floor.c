/*
 * The floor: what delivering costs when nothing is done but the write.
 *
 * It accepts TCP connections on a port of 127.0.0.1 that it prints. Each sends
 * the number of its channel (4 bytes, little endian) and gets a frame that says
 * that it is subscribed. Then events come on standard input: the channel's
 * number, the frame's length (4 bytes each, little endian), and the frame, ready
 * to be sent. Each is written with one write() to each connection of the
 * channel. From the first event on nothing more is accepted. It ends with its
 * input.
 *
 *     cc -O2 -o floor floor.c
 *
 * With -DURING it sends by io_uring in place of write().
 *
 * It reads numbers as they lie in memory, so it is for little-endian machines.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_CHANNELS 1000000

struct channel {
	int *sockets;
	int count, room;
};

static struct channel *channels;
static unsigned char input[4 << 20];
static size_t filled;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void join(uint32_t number, int fd)
{
	struct channel *c = &channels[number];
	if (c->count == c->room) {
		c->room = c->room ? 2 * c->room : 8;
		c->sockets = realloc(c->sockets, c->room * sizeof *c->sockets);
		if (!c->sockets)
			die("realloc");
	}
	c->sockets[c->count++] = fd;
}

static void take(int listener)
{
	static const char text[] = "{\"event\":\"pusher_internal:subscription_succeeded\",\"data\":\"{}\"}";
	unsigned char frame[2 + sizeof text - 1] = {0x81, sizeof text - 1};
	uint32_t number;
	int one = 1;
	int fd = accept(listener, NULL, NULL);
	if (fd < 0)
		die("accept");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (recv(fd, &number, sizeof number, MSG_WAITALL) != sizeof number || number >= MAX_CHANNELS) {
		close(fd);
		return;
	}
	join(number, fd);
	memcpy(frame + 2, text, sizeof text - 1);
	if (write(fd, frame, sizeof frame) != sizeof frame)
		die("write");
}

/* The measured loop. */
#ifdef URING
#include "uring.h"
#else
static void publish(const struct channel *c, const unsigned char *frame, uint32_t length)
{
	for (int i = 0; i < c->count; i++)
		if (write(c->sockets[i], frame, length) != (ssize_t)length && errno != EPIPE && errno != ECONNRESET)
			die("write");
}
#endif

/* Publishes what is whole in the input; 0 at its end. */
static int read_events(void)
{
	size_t at = 0;
	ssize_t n = read(0, input + filled, sizeof input - filled);
	if (n <= 0)
		return 0;
	filled += n;
	while (filled - at >= 8) {
		uint32_t head[2];
		memcpy(head, input + at, 8);
		if (head[0] >= MAX_CHANNELS || head[1] > sizeof input - 8) {
			fprintf(stderr, "floor: the input is not what was agreed\n");
			exit(1);
		}
		if (filled - at - 8 < head[1])
			break;
		publish(&channels[head[0]], input + at + 8, head[1]);
		at += 8 + head[1];
	}
	memmove(input, input + at, filled - at);
	filled -= at;
	return 1;
}

int main(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof address;
	struct rlimit files;
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	channels = calloc(MAX_CHANNELS, sizeof *channels);
	if (listener < 0 || !channels || bind(listener, (struct sockaddr *)&address, sizeof address) < 0 ||
	    listen(listener, 4096) < 0 || getsockname(listener, (struct sockaddr *)&address, &size) < 0)
		die("listen");
	printf("%d\n", ntohs(address.sin_port));
	fflush(stdout);

	struct pollfd waiting[2] = {{.fd = listener, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
	while (!waiting[1].revents) {
		if (poll(waiting, 2, -1) < 0)
			die("poll");
		if (waiting[0].revents)
			take(listener);
	}
	while (read_events())
		;
	return 0;
}
