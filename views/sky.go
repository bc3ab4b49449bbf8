package views

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// skyPoint is the colour of the sky at an hour of the local day.
type skyPoint struct {
	hour float64
	hex  uint32
}

func skyDay() []skyPoint {
	return []skyPoint{
		{0, 0x0A0F1B}, {3.6, 0x0A0F1B}, {4.7, 0x0F1728}, {5.4, 0x19223A}, {6, 0x2A2F49}, {6.5, 0x3A3850}, {7.2, 0x3D4459},
		{8.6, 0x3C4D62}, {12, 0x40566C}, {16.5, 0x3C4D62}, {19.4, 0x3D4459}, {20.5, 0x3D3A54}, {21.3, 0x2A2E48},
		{22.2, 0x172036}, {23.2, 0x0E1626}, {24, 0x0A0F1B},
	}
}

// oklab is a colour in which equal steps look equal.
type oklab struct{ l, a, b float64 }

func linear(c uint32) float64 {
	v := float64(c&0xff) / 255
	if v <= 0.04045 {
		return v / 12.92
	}
	return math.Pow((v+0.055)/1.055, 2.4)
}

func gamma(v float64) uint32 {
	if v = max(v, 0); v <= 0.0031308 {
		v *= 12.92
	} else {
		v = 1.055*math.Pow(v, 1/2.4) - 0.055
	}
	return uint32(math.Round(min(v, 1) * 255))
}

func toLab(hex uint32) oklab {
	r, g, b := linear(hex>>16), linear(hex>>8), linear(hex)
	l := math.Cbrt(0.4122214708*r + 0.5363325363*g + 0.0514459929*b)
	m := math.Cbrt(0.2119034982*r + 0.6806995451*g + 0.1073969566*b)
	s := math.Cbrt(0.0883024619*r + 0.2817188376*g + 0.6299787005*b)
	return oklab{
		0.2104542553*l + 0.7936177850*m - 0.0040720468*s,
		1.9779984951*l - 2.4285922050*m + 0.4505937099*s,
		0.0259040371*l + 0.7827717662*m - 0.8086757660*s,
	}
}

// rgb is the colour as screens take it.
func (c oklab) rgb() [3]int {
	l := math.Pow(c.l+0.3963377774*c.a+0.2158037573*c.b, 3)
	m := math.Pow(c.l-0.1055613458*c.a-0.0638541728*c.b, 3)
	s := math.Pow(c.l-0.0894841775*c.a-1.2914855480*c.b, 3)
	r := gamma(4.0767416621*l - 3.3077115913*m + 0.2309699292*s)
	g := gamma(-1.2684380046*l + 2.6097574011*m - 0.3413193965*s)
	b := gamma(-0.0041960863*l - 0.7034186147*m + 1.7076147010*s)
	return [3]int{int(r), int(g), int(b)}
}

func (c oklab) hex() string {
	rgb := c.rgb()
	return fmt.Sprintf("#%02X%02X%02X", rgb[0], rgb[1], rgb[2])
}

// sky is the colour of the sky at a moment of the local day.
func sky(local time.Time) oklab {
	hour := float64(local.Hour()) + float64(local.Minute())/60
	day := skyDay()
	for i := 1; i < len(day); i++ {
		if from, to := day[i-1], day[i]; hour <= to.hour {
			x := (hour - from.hour) / (to.hour - from.hour)
			a, b := toLab(from.hex), toLab(to.hex)
			return oklab{a.l + x*(b.l-a.l), a.a + x*(b.a-a.a), a.b + x*(b.b-a.b)}
		}
	}
	return toLab(day[0].hex)
}

// lamp is the strength of the pool of light around the needle: 1 at night, 0.2 at noon.
func lamp(local time.Time) float64 {
	night, noon := toLab(0x0A0F1B).l, toLab(0x40566C).l
	return 1 - 0.8*(sky(local).l-night)/(noon-night)
}

// skyStop is one stop of the gradient of the sky.
type skyStop struct {
	Offset string // percent
	Colour string
}

// skyStops are the colours from one moment to another: of a day those of each half hour, without the ones that the gradient
// passes through by itself.
func (p Page) skyStops(from, to time.Time) []skyStop {
	const parts = 48
	var colours [parts + 1]oklab
	var seen [parts + 1][3]int
	for i := range colours {
		colours[i] = sky(from.Add(to.Sub(from) * time.Duration(i) / parts).In(p.Zone))
		seen[i] = colours[i].rgb()
	}
	stops := []skyStop{}
	for at := 0; ; {
		stops = append(stops, skyStop{percent(time.Duration(at), parts), colours[at].hex()})
		if at == parts {
			return stops
		}
		next := at + 1
		for next < parts && straight(seen[at:next+2]) {
			next++
		}
		at = next
	}
}

// straight reports whether a gradient from the first colour to the last passes through those between, to one step of 255.
func straight(colours [][3]int) bool {
	last := len(colours) - 1
	for i := 1; i < last; i++ {
		for c := range 3 {
			way := float64(colours[0][c]) + float64(colours[last][c]-colours[0][c])*float64(i)/float64(last)
			if math.Abs(way-float64(colours[i][c])) > 1 {
				return false
			}
		}
	}
	return true
}

// percent places a part on a whole, as an SVG length: to a tenth of a pixel where the whole is as wide as a page.
func percent(part, whole time.Duration) string {
	return strconv.FormatFloat(math.Round(1e4*float64(part)/float64(whole))/100, 'f', -1, 64) + "%"
}
