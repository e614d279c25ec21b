package socket_test

import (
	"testing"

	"github.com/belfryhq/belfry/internal/socket"
)

func portable(cfg socket.Config) socket.Engine { return socket.New(cfg) }

func TestPortable(t *testing.T) { suite(t, portable) }

// suite is what every engine must pass.
func suite(t *testing.T, open opening) {
	for name, run := range map[string]func(*testing.T, opening){
		"established":         testEstablished,
		"early data":          testEarlyData,
		"paths":               testPaths,
		"rejected":            testRejected,
		"refused":             testRefused,
		"server full":         testServerFull,
		"throttle":            testThrottle,
		"proxies":             testProxies,
		"control frames":      testControlFrames,
		"breaches":            testBreaches,
		"one byte at a time":  testOneByteAtATime,
		"close by peer":       testCloseByPeer,
		"close by hub":        testCloseByHub,
		"old protocols":       testCloseOldProtocol,
		"vanished peer":       testVanishedPeer,
		"fan-out":             testFanOut,
		"join and leave":      testJoinAndLeave,
		"slow reader":         testSlowReader,
		"flood":               testFlood,
		"many channels":       testManyChannels,
		"stop":                testStop,
		"drain":               testDrain,
		"foreign client":      testForeignClient,
		"gauge":               testGauge,
		"TLS":                 testTLS,
		"HTTP/2":              testHTTP2,
		"kept-alive upstream": testKeepAlive,
	} {
		t.Run(name, func(t *testing.T) { run(t, open) })
	}
}
