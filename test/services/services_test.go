package services_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/test/services"
)

func TestMain(m *testing.M) {
	if os.Getenv("SERVICES_CHILD") != "" {
		child()
	}
	goleak.VerifyTestMain(m)
}

// ask sends one Redis command and gives the first line of the answer.
func ask(addr, command string) (string, error) {
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := fmt.Fprintf(conn, "%s\r\n", command); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line), err
}

func mustAsk(t *testing.T, addr, command, want string) {
	t.Helper()
	if got, err := ask(addr, command); err != nil || got != want {
		t.Fatalf("%s: %q %v, want %q", command, got, err, want)
	}
}

func query(url string) (n int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return 0, err
	}
	defer conn.Close(ctx)
	if _, err = conn.Exec(ctx, "CREATE TABLE IF NOT EXISTS t (n int)"); err != nil {
		return 0, err
	}
	if _, err = conn.Exec(ctx, "INSERT INTO t VALUES (1)"); err != nil {
		return 0, err
	}
	return n, conn.QueryRow(ctx, "SELECT count(*) FROM t").Scan(&n)
}

func TestEachDatabaseIsFresh(t *testing.T) {
	one, two := services.Postgres(t), services.Postgres(t)
	if one == two {
		t.Fatal("two calls gave one database")
	}
	for _, url := range []string{one, two} {
		if n, err := query(url); err != nil || n != 1 {
			t.Errorf("%d rows, %v", n, err)
		}
	}
}

func TestPostgresComesBackWithItsData(t *testing.T) {
	server := services.OwnPostgres(t)
	url := server.Database(t)
	if n, err := query(url); err != nil || n != 1 {
		t.Fatalf("%d rows, %v", n, err)
	}
	for i, end := range []func(){server.Stop, server.Kill} {
		end()
		if _, err := query(url); err == nil {
			t.Fatal("a stopped server answered")
		}
		server.Start()
		if n, err := query(url); err != nil || n != 2+i {
			t.Fatalf("%d rows, %v\n%s", n, err, server.Log())
		}
	}
}

func TestRedisComesBackWithItsData(t *testing.T) {
	server := services.OwnRedis(t)
	mustAsk(t, server.Addr, "INCR n", ":1")
	for i, end := range []func(){server.Stop, server.Kill} {
		end()
		if _, err := ask(server.Addr, "PING"); err == nil {
			t.Fatal("a stopped server answered")
		}
		server.Start()
		mustAsk(t, server.Addr, "INCR n", fmt.Sprintf(":%d", 2+i))
	}
	mustAsk(t, services.Redis(t), "INCR n", ":1") // another server
}

// child stands for a test process that is killed.
func child() {
	t := &loneTest{}
	fmt.Println(services.Redis(t), services.Postgres(t))
	time.Sleep(time.Hour)
}

// loneTest is a test that never ends.
type loneTest struct{ testing.TB }

func (*loneTest) Helper()           {}
func (*loneTest) Cleanup(func())    {}
func (*loneTest) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

func TestServersEndWithAKilledTestProcess(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SERVICES_CHILD=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var addr, url string
	if _, err := fmt.Fscan(out, &addr, &url); err != nil {
		t.Fatal(err)
	}
	mustAsk(t, addr, "PING", "+PONG")
	if _, err := query(url); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		_, ofRedis := ask(addr, "PING")
		_, ofPostgres := query(url)
		if errors.Is(ofRedis, syscall.ECONNREFUSED) && errors.Is(ofPostgres, syscall.ECONNREFUSED) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still there: redis %v, postgres %v", ofRedis, ofPostgres)
		}
	}
}
