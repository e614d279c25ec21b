package uring

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
)

// kernel plays the kernel's side of a ring: it makes the calls one by one.
type kernel struct {
	errno  syscall.Errno // nothing is done
	most   int           // calls that are taken
	silent bool          // the last completion comes only when it is waited for
	dead   bool          // it never comes
	late   func()
	from   uint32
}

func (k *kernel) ring() *Ring {
	const size = 2 * Size
	r := &Ring{
		fd: -1, sqes: make([]sqe, size), cqes: make([]cqe, size), array: make([]uint32, size), sqMask: size - 1, cqMask: size - 1,
		tail: new(uint32), head: new(uint32), completed: new(uint32),
	}
	r.enter = func(_, submit, _ int) (int, syscall.Errno) {
		if submit == 0 {
			if k.dead || k.late == nil {
				return 0, syscall.EBADF
			}
			k.late()
			return 0, syscall.EINTR
		}
		if k.errno != 0 {
			return -1, k.errno
		}
		submit = min(submit, k.most)
		for i := range submit {
			e := r.sqes[r.array[k.from&r.sqMask]]
			k.from++
			c := r.calls[e.userData]
			var n int
			var err error
			if e.opcode == opReceive {
				n, err = syscall.Read(int(e.fd), c.Buffer)
			} else {
				n, err = syscall.Write(int(e.fd), c.Buffer)
			}
			result := int32(n)
			if err != nil {
				result = -int32(err.(syscall.Errno))
			}
			tell := func() {
				r.cqes[*r.completed&r.cqMask] = cqe{userData: e.userData, result: result}
				*r.completed++
			}
			if k.silent && i == submit-1 {
				k.late = tell
			} else {
				tell()
			}
		}
		return submit, 0
	}
	return r
}

// rings gives a ring of a kernel that plays along, and the system's where it has one.
func rings(t *testing.T) map[string]*Ring {
	all := map[string]*Ring{"played": (&kernel{most: Size}).ring()}
	if r, err := Open(); err == nil {
		t.Cleanup(r.Close)
		all["the system's"] = r
	} else {
		t.Logf("this system has no io_uring: %v", err)
	}
	return all
}

func pair(t *testing.T) (a, b int32) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fds[0]); syscall.Close(fds[1]) })
	return int32(fds[0]), int32(fds[1])
}

// What is sent comes, over many rounds of the ring, in batches of every size.
func TestSendAndReceive(t *testing.T) {
	for name, r := range rings(t) {
		t.Run(name, func(t *testing.T) {
			if err := r.try(); err != nil {
				t.Fatal(err)
			}
			var ends [Size][2]int32
			for i := range ends {
				ends[i][0], ends[i][1] = pair(t)
			}
			for round := range 200 {
				n := 1 + round%Size
				var sends, receives []Call
				for i := range n {
					sends = append(sends, Call{FD: ends[i][0], Buffer: fmt.Append(nil, round, " to ", i)})
					receives = append(receives, Call{FD: ends[i][1], Receive: true, Buffer: make([]byte, 64)})
				}
				for _, calls := range [][]Call{sends, receives} {
					if made, err := r.Do(calls); made != n || err != nil {
						t.Fatalf("%d of %d: %v", made, n, err)
					}
				}
				for i, c := range receives {
					want := string(sends[i].Buffer)
					if int(sends[i].Result) != len(want) || int(c.Result) != len(want) || string(c.Buffer[:c.Result]) != want {
						t.Fatalf("sent %q: %d; received %q: %d", want, sends[i].Result, c.Buffer, c.Result)
					}
				}
			}
		})
	}
}

// Who has hung up, and what cannot be, is told for each.
func TestResultsOfEach(t *testing.T) {
	for name, r := range rings(t) {
		t.Run(name, func(t *testing.T) {
			a, b := pair(t)
			syscall.Shutdown(int(b), syscall.SHUT_RDWR)
			calls := []Call{{FD: a, Receive: true, Buffer: make([]byte, 4)}, {FD: a, Buffer: []byte("x")}, {FD: 1 << 20, Buffer: []byte("x")}}
			if made, err := r.Do(calls); made != 3 || err != nil {
				t.Fatal(made, err)
			}
			for i, want := range []int32{0, -int32(syscall.EPIPE), -int32(syscall.EBADF)} {
				if calls[i].Result != want {
					t.Errorf("%d: %d, want %d", i, calls[i].Result, want)
				}
			}
		})
	}
}

// A kernel that takes some, none or tells late is borne; what was not made is not
// made later.
func TestFaults(t *testing.T) {
	for name, test := range map[string]struct {
		k       kernel
		made    int
		err     string
		unknown bool // what became of the last that was made
	}{
		"takes some":     {kernel{most: 3}, 3, "", false},
		"no memory":      {kernel{errno: syscall.ENOMEM}, 0, "", false},
		"busy":           {kernel{errno: syscall.EBUSY}, 0, "", false},
		"interrupted":    {kernel{errno: syscall.EINTR}, 0, "", false},
		"forbidden":      {kernel{errno: syscall.EPERM}, 0, "operation not permitted", false},
		"tells late":     {kernel{most: Size, silent: true}, 5, "", false},
		"tells never":    {kernel{most: Size, silent: true, dead: true}, 5, "bad file descriptor", true},
		"some, and late": {kernel{most: 2, silent: true}, 2, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := test.k.ring()
			var calls []Call
			var from []int32
			for i := range 5 {
				a, b := pair(t)
				calls, from = append(calls, Call{FD: a, Buffer: fmt.Append(nil, i)}), append(from, b)
			}
			made, err := r.Do(calls)
			if made != test.made || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Fatalf("made %d, %v", made, err)
			}
			for i := range made {
				want := int32(1)
				if test.unknown && i == made-1 {
					want = -int32(syscall.EIO)
				}
				if calls[i].Result != want {
					t.Errorf("%d: %d, want %d", i, calls[i].Result, want)
				}
			}
			if err != nil {
				return
			}
			test.k = kernel{most: Size, from: test.k.from}
			again := []Call{{FD: calls[0].FD, Buffer: []byte("again")}}
			if made, err := r.Do(again); made != 1 || err != nil {
				t.Fatal(made, err)
			}
			for i, fd := range from {
				b := make([]byte, 16)
				n, _ := syscall.Read(int(fd), b)
				want := ""
				if i < made {
					want = fmt.Sprint(i)
				}
				if i == 0 {
					want += "again"
				}
				if got := string(b[:max(n, 0)]); got != want {
					t.Errorf("%d got %q, want %q", i, got, want)
				}
			}
		})
	}
}
