package reliability

import (
	"os"
	"runtime"
	"strconv"
	"strings"
)

// Resources are what the process holds at one moment. On a system without
// /proc only the goroutines are known; the others are 0.
type Resources struct {
	Goroutines int
	Files      int
	RSS        int // bytes
}

// ReadResources counts now.
func ReadResources() Resources {
	return Resources{Goroutines: runtime.NumGoroutine(), Files: openFiles(), RSS: rss()}
}

// openFiles does not count the folder that it reads.
func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries) - 1
}

func rss() int {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.Atoi(fields[1])
	if err != nil {
		return 0
	}
	return pages * os.Getpagesize()
}

// Slope is by how much the values grow per step, by least squares.
func Slope(values []float64) float64 {
	n := float64(len(values))
	if n < 2 {
		return 0
	}
	var sumX, sumY, sumXY, sumXX float64
	for i, y := range values {
		x := float64(i)
		sumX, sumY, sumXY, sumXX = sumX+x, sumY+y, sumXY+x*y, sumXX+x*x
	}
	return (n*sumXY - sumX*sumY) / (n*sumXX - sumX*sumX)
}
