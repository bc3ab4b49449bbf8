package demo

import (
	"fmt"
	"time"
)

type name struct{ written, latin string }

var (
	koreanFamily = []name{{"김", "kim"}, {"이", "lee"}, {"박", "park"}, {"최", "choi"}, {"정", "jung"}, {"강", "kang"}, {"조", "cho"},
		{"윤", "yoon"}, {"장", "jang"}, {"임", "lim"}, {"한", "han"}, {"오", "oh"}, {"서", "seo"}, {"신", "shin"}, {"권", "kwon"}, {"황", "hwang"},
		{"안", "ahn"}, {"송", "song"}, {"류", "ryu"}, {"홍", "hong"}}
	koreanGiven = []name{{"민준", "minjun"}, {"서연", "seoyeon"}, {"도윤", "doyun"}, {"서윤", "seoyun"}, {"예준", "yejun"}, {"지우", "jiwoo"},
		{"시우", "siwoo"}, {"하은", "haeun"}, {"주원", "juwon"}, {"하윤", "hayun"}, {"지호", "jiho"}, {"민서", "minseo"}, {"준서", "junseo"},
		{"지유", "jiyu"}, {"현우", "hyunwoo"}, {"채원", "chaewon"}, {"지훈", "jihoon"}, {"수아", "sua"}, {"건우", "gunwoo"}, {"다은", "daeun"},
		{"영희", "younghee"}, {"철수", "cheolsu"}, {"은정", "eunjung"}, {"성호", "sungho"}}
	westernGiven = []string{"Anna", "Ben", "Chloé", "David", "Emma", "Felix", "Grace", "Henrik", "Irène", "Jack", "Katarzyna", "Liam",
		"María", "Noah", "Olivia", "Paul", "Quentin", "Rosa", "Søren", "Teresa", "Ulrich", "Valentina", "William", "Zoë"}
	westernFamily = []string{"Andersson", "Bianchi", "Clark", "Dupont", "Evans", "Fischer", "García", "Hughes", "Ivanova", "Jensen", "Kowalski",
		"Lefèvre", "Müller", "Novak", "O'Brien", "Petit", "Quinn", "Rossi", "Schmidt", "Taylor", "Ulloa", "Vogel", "Walker", "Young"}
	latinGiven = []string{"anna", "ben", "chloe", "david", "emma", "felix", "grace", "henrik", "irene", "jack", "katarzyna", "liam",
		"maria", "noah", "olivia", "paul", "quentin", "rosa", "soren", "teresa", "ulrich", "valentina", "william", "zoe"}
	latinFamily = []string{"andersson", "bianchi", "clark", "dupont", "evans", "fischer", "garcia", "hughes", "ivanova", "jensen", "kowalski",
		"lefevre", "muller", "novak", "obrien", "petit", "quinn", "rossi", "schmidt", "taylor", "ulloa", "vogel", "walker", "young"}
	mailDomains   = []string{"example.com", "example.net", "example.org", "mail.example", "post.example", "hanmail.example"}
	koreanCities  = []string{"서울", "부산", "대구", "인천", "광주", "대전", "울산", "수원", "고양", "창원", "성남", "제주"}
	westernCities = []string{"Amsterdam", "Berlin", "Bruxelles", "Dublin", "Genève", "København", "London", "Lyon", "Madrid", "Milano", "Paris", "Wien"}
	westernLands  = []string{"NL", "DE", "BE", "IE", "CH", "DK", "GB", "FR", "ES", "IT", "FR", "AT"}
)

// person is a recipient as every table knows them: it depends on the id alone.
type person struct {
	first, last, email, mobile, city, country, language string
	gender                                              int16
	birth                                               time.Time
}

func personOf(id int64) person {
	h := mix(id, 1)
	given, family := h>>8, h>>24
	p := person{
		gender: int16(1 + (h>>40)%2),
		birth:  time.Date(1945+int((h>>42)%62), time.Month(1+(h>>49)%12), 1+int((h>>53)%28), 0, 0, 0, 0, time.UTC),
	}
	domain := pick(mailDomains, h>>58)
	if h%100 < 55 {
		first, last := pick(koreanGiven, given), pick(koreanFamily, family)
		p.first, p.last, p.city, p.country, p.language = first.written, last.written, pick(koreanCities, h>>33), "KR", "ko"
		p.email = fmt.Sprintf("%s.%s%d@%s", first.latin, last.latin, id, domain)
		p.mobile = fmt.Sprintf("+8210%08d", id%100_000_000)
		return p
	}
	city := (h >> 33) % uint64(len(westernCities))
	p.first, p.last, p.city, p.country, p.language = pick(westernGiven, given), pick(westernFamily, family), westernCities[city], westernLands[city], "en"
	p.email = fmt.Sprintf("%s.%s%d@%s", pick(latinGiven, given), pick(latinFamily, family), id, domain)
	p.mobile = fmt.Sprintf("+4470%08d", id%100_000_000)
	return p
}

// companies are the values of the enumeration "company" in the order of their weight. aliases are what people typed instead.
var (
	companies = []string{"Samsung Electronics", "Hyundai Motor", "LG Electronics", "Kakao", "Naver", "Lotte Shopping", "NIELSEN Ltd", "Adobe",
		"Korean Air", "SK Telecom", "Carrefour", "Siemens", "Unilever", "Vodafone", "Zalando"}
	aliases = map[string]string{"삼성전자": "Samsung Electronics", "SEC": "Samsung Electronics", "현대자동차": "Hyundai Motor", "엘지전자": "LG Electronics",
		"카카오": "Kakao", "NEILSEN": "NIELSEN Ltd", "Nielsen": "NIELSEN Ltd", "Adob": "Adobe", "Adobe Systems": "Adobe", "대한항공": "Korean Air",
		"SKT": "SK Telecom", "Carefour": "Carrefour", "Siemens AG": "Siemens"}
	aliasLabels = []string{"삼성전자", "SEC", "현대자동차", "엘지전자", "카카오", "NEILSEN", "Nielsen", "Adob", "Adobe Systems", "대한항공", "SKT", "Carefour", "Siemens AG"}
	unqualified = []string{"Self-employed", "n/a", "Other Inc", "프리랜서", "Acme & Söhne 100%"}
	origins     = []string{"web", "store", "import", "event", "partner"}
)

// companyOf gives a third of the people a company: mostly as the enumeration writes it, sometimes as an alias, in other
// letters or spaces, or unknown to it.
func companyOf(id int64) any {
	h := mix(id, 2)
	switch kind, number := h%100, h>>8; {
	case kind < 66:
		return nil
	case kind < 93:
		return pick(companies, number)
	case kind < 96:
		return pick(aliasLabels, number)
	case kind < 98:
		return pick([]string{"nielsen  ltd", " Samsung electronics", "KAKAO", "hyundai motor "}, number)
	default:
		return pick(unqualified, number)
	}
}
