package views

import (
	"fmt"
	"strings"
	"time"
)

// sparkDrawn is a spark in the words of SVG.
type sparkDrawn struct {
	ran, running, skipped string
	failed, late          []int
}

// sparkBars is how many slots a spark shows.
const sparkBars = 60

func drawSpark(bars []SparkBar) sparkDrawn {
	if len(bars) > sparkBars {
		bars = bars[len(bars)-sparkBars:]
	}
	var longest time.Duration
	for _, bar := range bars {
		longest = max(longest, bar.Took)
	}
	var drawn sparkDrawn
	var ran, running, skipped strings.Builder
	for i, bar := range bars {
		x := 3 * (sparkBars - len(bars) + i)
		height := 0.0
		if longest > 0 && bar.Took > 0 {
			height = max(1, 17*float64(bar.Took)/float64(longest))
		}
		column := fmt.Sprintf("M%d 18h2v-%.1fh-2Z", x, height)
		switch bar.State {
		case Running:
			running.WriteString(column)
		case Skipped, Cancelled, Missed:
			fmt.Fprintf(&skipped, "M%d 17.5h2", x)
		default:
			ran.WriteString(column)
		}
		switch bar.State {
		case Failed:
			drawn.failed = append(drawn.failed, x)
		case Late, Missed, Interrupted:
			drawn.late = append(drawn.late, x)
		}
	}
	drawn.ran, drawn.running, drawn.skipped = ran.String(), running.String(), skipped.String()
	return drawn
}

// sparkText is the spark for those who do not see it.
func (p Page) sparkText(bars []SparkBar) string {
	var failed, late int64
	for _, bar := range bars {
		switch bar.State {
		case Failed:
			failed++
		case Late, Missed:
			late++
		}
	}
	return p.T("spark.text", len(bars), failed, late)
}
