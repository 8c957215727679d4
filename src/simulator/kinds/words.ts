const list = (text: string): string[] => text.split(' ')

export const firstNames = list(
  'Ada Alan Alice Amir Anna Ben Bianca Carl Carmen Chen Clara Daniel Diego Elena Emil Eva Felix Fiona Frank Grace Hanna Henry Ida Ivan Jack Jana Jonas Julia Karl Kate Kenji Lara Leo Lena Lisa Luca Marc Maria Mei Max Mila Nadia Nick Nina Noah Nora Olga Oscar Otto Paula Pedro Petra Priya Rita Rosa Sam Sara Sofia Tara Theo Tom Uma Vera Yuki',
)
export const lastNames = list(
  'Abbott Acosta Adler Ahmed Ali Baker Barnes Bauer Becker Bell Berg Brandt Brown Campbell Carter Chang Clark Cohen Collins Costa Cruz Dalton Davis Diaz Dubois Edwards Evans Fischer Fisher Flores Foster Fox Garcia Gibson Graf Gray Green Gupta Haas Hall Hansen Harris Hill Hoffman Holm Huang Hughes Ito Jackson Jansen Jones Kaya Keller Khan Kim King Klein Koch Kumar Lang Larsen Lee Lewis Lopez Marino Martin Mason Meyer Miller Moore Moreau Morris Nagy Nakamura Nelson Novak Nowak Okafor Olsen Ortiz Owens Park Parker Patel Perez Peters Pham Price Ramos Reed Reyes Richter Rossi Roth Russo Sato Schmidt Schulz Scott Shah Silva Singh Smith Sousa Stein Suzuki Tanaka Taylor Thomas Torres Tran Turner Vogel Walker Weber White Wolf Wong Wright Young Zhang Ziegler',
)
export const foreignFirst = list(
  'Željko José Łukasz Søren Zoë Jürgen Ångela Đorđe Nuño Ștefan Оксана Ἀλέξης 裕子 אבי محمد',
)
export const foreignLast = list(
  'Müller Nuñez Dvořák Þórsson Gómez Ćosić Lindström Weiß İnce Петров Παπάς 佐藤 לוי السيد',
)
export const hardLast = [
  "O'Neil",
  "D'Angelo",
  'de la Cruz',
  'Smith-Jones',
  'St. John',
  'Mac "Mac" Dow',
  'Null',
  'von & zu Berg',
  '100%',
  '<b>Bold</b>',
]
export const companyHeads = list(
  'Acme Alpine Apex Atlas Aurora Beacon Blue Bright Cascade Cedar Central Cobalt Coral Crown Delta Eagle Echo Ember Falcon Forge Global Golden Granite Green Harbor Horizon Iron Juniper Keystone Lunar Maple Meridian North Nova Ocean Onyx Orion Pacific Pine Pioneer Polar Prime Quartz Rapid Ridge River Silver Solar Sterling Summit Terra Titan Union Vector Vertex Vista West Willow Zenith',
)
export const companyTails = [
  'Foods',
  'Labs',
  'Logistics',
  'Mills',
  'Motors',
  'Partners',
  'Pharma',
  'Plastics',
  'Power',
  'Print',
  'Retail',
  'Software',
  'Steel',
  'Systems',
  'Textiles',
  'Tools',
  'Trading',
  'Travel',
  'Works',
  '& Sons',
]
export const companyForms = ['', ' Inc.', ' LLC', ' Ltd', ' GmbH', ' S.A.', ' AG', ' BV']
export const hardCompanies = [
  'שלום בע״מ',
  'شركة النور',
  '株式会社サンプル',
  'Müller & Söhne KG',
  ' Blank Both Sides ',
  'Rocket 🚀 Labs',
  'Quote "Q" Ltd',
  "L'Oiseau",
  '50% Off; Co.',
  'Back\\slash Ltd',
]
export const domains = list(
  'example.com example.org example.net mail.example.com crm.example.org shop.example.net north.example.com west.example.org',
)
export const departments = list('Sales Marketing Finance Engineering Purchasing Support Legal Operations')
export const streets = list('Main Oak Park Church High Mill Station Lake Hill River King Queen Market Bridge School')
export const employees = ['1,200', '10-50', 'ca. 300', '40', '~ 25', '5000+', 'unknown', '1 200', '12.5k']
export const countries: {
  names: string[]
  state: string[]
  cities: string[]
  zip: (roll: number) => string
  dial: string
}[] = [
  {
    names: ['USA', 'United States', 'U.S.A.', 'United States of America', 'us', 'USA '],
    state: list('CA NY TX IL WA MA OH FL'),
    cities: ['Springfield', 'Portland', 'Salem', 'Austin', 'New York', 'St. Paul'],
    zip: (roll) => String(roll % 100000).padStart(5, '0'),
    dial: '555',
  },
  {
    names: ['Germany', 'Deutschland', 'GERMANY', 'DE', 'Fed. Rep. of Germany'],
    state: ['Bayern', 'Hessen', 'Berlin', 'NRW'],
    cities: ['München', 'Köln', 'Berlin', 'Frankfurt a. M.'],
    zip: (roll) => String(roll % 100000).padStart(5, '0'),
    dial: '+49 89',
  },
  {
    names: ['United Kingdom', 'UK', 'U.K.', 'Great Britain', 'England'],
    state: ['Kent', 'Essex', 'Devon'],
    cities: ['London', 'Leeds', "King's Lynn", 'Bath'],
    zip: (roll) => `SW${roll % 20} ${roll % 9}AB`,
    dial: '+44 20',
  },
  {
    names: ['Austria', 'Österreich', 'Oesterreich'],
    state: ['Tirol', 'Wien'],
    cities: ['Wien', 'Graz', 'Linz'],
    zip: (roll) => String(1000 + (roll % 9000)),
    dial: '+43 1',
  },
  {
    names: ["Côte d'Ivoire", 'Ivory Coast'],
    state: ['Lagunes'],
    cities: ['Abidjan', 'Yamoussoukro'],
    zip: () => '',
    dial: '+225 27',
  },
  {
    names: ['日本', 'Japan'],
    state: ['東京都', 'Osaka'],
    cities: ['東京', 'Osaka'],
    zip: (roll) => `${100 + (roll % 800)}-${String(roll % 10000).padStart(4, '0')}`,
    dial: '+81 3',
  },
]
