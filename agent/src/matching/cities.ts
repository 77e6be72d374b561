/**
 * Large cities of the world, a country on each line: `Country: name/other names latitude longitude, …`. Degrees to two
 * decimals: a cell of four characters is twenty times coarser.
 */
export const cities = `
Afghanistan: Kabul 34.53 69.17
Albania: Tirana 41.33 19.82
Algeria: Algiers/Alger 36.75 3.06, Oran 35.70 -0.63
Angola: Luanda -8.84 13.23
Argentina: Buenos Aires -34.60 -58.38, Córdoba -31.42 -64.18, Rosario -32.95 -60.64, Mendoza -32.89 -68.84
Armenia: Yerevan 40.18 44.51
Australia: Sydney -33.87 151.21, Melbourne -37.81 144.96, Brisbane -27.47 153.03, Perth -31.95 115.86, Adelaide -34.93 138.60, Canberra -35.28 149.13
Austria: Vienna/Wien 48.21 16.37, Graz 47.07 15.44, Linz 48.31 14.29, Salzburg 47.80 13.04, Innsbruck 47.27 11.39
Azerbaijan: Baku 40.41 49.87
Bahrain: Manama 26.23 50.59
Bangladesh: Dhaka 23.81 90.41, Chittagong/Chattogram 22.36 91.78
Belarus: Minsk 53.90 27.57
Belgium: Brussels/Bruxelles/Brussel 50.85 4.35, Antwerp/Antwerpen 51.22 4.40, Ghent/Gent 51.05 3.72, Liège 50.63 5.57
Bolivia: La Paz -16.49 -68.12, Santa Cruz de la Sierra -17.78 -63.18
Bosnia and Herzegovina: Sarajevo 43.86 18.41
Botswana: Gaborone -24.65 25.91
Brazil: São Paulo -23.55 -46.63, Rio de Janeiro -22.91 -43.17, Brasília -15.79 -47.88, Salvador -12.97 -38.50, Fortaleza -3.73 -38.53, Belo Horizonte -19.92 -43.94, Manaus -3.12 -60.02, Curitiba -25.43 -49.27, Recife -8.05 -34.88, Porto Alegre -30.03 -51.23, Belém -1.46 -48.50, Goiânia -16.69 -49.26
Bulgaria: Sofia 42.70 23.32, Plovdiv 42.14 24.75
Burkina Faso: Ouagadougou 12.37 -1.52
Cambodia: Phnom Penh 11.56 104.92
Cameroon: Douala 4.05 9.70, Yaoundé 3.85 11.50
Canada: Toronto 43.65 -79.38, Montreal/Montréal 45.50 -73.57, Vancouver 49.28 -123.12, Calgary 51.05 -114.07, Ottawa 45.42 -75.70, Edmonton 53.55 -113.49, Winnipeg 49.90 -97.14, Quebec/Québec 46.81 -71.21, Halifax 44.65 -63.58, Hamilton 43.26 -79.87, London 42.98 -81.25
Chile: Santiago -33.45 -70.67, Valparaíso -33.05 -71.61, Concepción -36.83 -73.05
China: Shanghai 31.23 121.47, Beijing/Peking 39.90 116.41, Guangzhou/Canton 23.13 113.26, Shenzhen 22.54 114.06, Chengdu 30.57 104.07, Chongqing 29.56 106.55, Tianjin 39.08 117.20, Wuhan 30.59 114.31, Xi'an 34.34 108.94, Hangzhou 30.27 120.16, Nanjing 32.06 118.80, Shenyang 41.80 123.43, Harbin 45.80 126.53, Qingdao 36.07 120.38, Dalian 38.91 121.61, Suzhou 31.30 120.58, Zhengzhou 34.75 113.63, Changsha 28.23 112.94, Kunming 25.04 102.71, Xiamen 24.48 118.09, Hong Kong 22.32 114.17, Macau/Macao 22.20 113.54
Colombia: Bogotá 4.71 -74.07, Medellín 6.24 -75.58, Cali 3.45 -76.53, Barranquilla 10.97 -74.80, Cartagena 10.39 -75.48
Costa Rica: San José 9.93 -84.08
Croatia: Zagreb 45.81 15.98, Split 43.51 16.44
Cuba: Havana/La Habana 23.11 -82.37
Cyprus: Nicosia 35.19 33.38
Czechia: Prague/Praha 50.08 14.44, Brno 49.20 16.61
Côte d'Ivoire: Abidjan 5.36 -4.01
DR Congo: Kinshasa -4.44 15.27, Lubumbashi -11.66 27.48
Denmark: Copenhagen/København 55.68 12.57, Aarhus 56.16 10.20
Dominican Republic: Santo Domingo 18.49 -69.93
Ecuador: Quito -0.18 -78.47, Guayaquil -2.19 -79.89
Egypt: Cairo 30.04 31.24, Alexandria 31.20 29.92
El Salvador: San Salvador 13.69 -89.22
Estonia: Tallinn 59.44 24.75
Ethiopia: Addis Ababa 9.03 38.74
Finland: Helsinki 60.17 24.94, Tampere 61.50 23.76, Turku 60.45 22.27
France: Paris 48.86 2.35, Marseille 43.30 5.37, Lyon 45.76 4.84, Toulouse 43.60 1.44, Nice 43.70 7.27, Nantes 47.22 -1.55, Strasbourg 48.57 7.75, Montpellier 43.61 3.88, Bordeaux 44.84 -0.58, Lille 50.63 3.06, Rennes 48.11 -1.68
Georgia: Tbilisi 41.72 44.79
Germany: Berlin 52.52 13.40, Hamburg 53.55 9.99, Munich/München 48.14 11.58, Cologne/Köln 50.94 6.96, Frankfurt/Frankfurt am Main 50.11 8.68, Stuttgart 48.78 9.18, Düsseldorf 51.23 6.78, Leipzig 51.34 12.37, Dortmund 51.51 7.47, Essen 51.46 7.01, Bremen 53.08 8.80, Dresden 51.05 13.74, Hanover/Hannover 52.38 9.73, Nuremberg/Nürnberg 49.45 11.08, Freiburg 48.00 7.85
Ghana: Accra 5.60 -0.19, Kumasi 6.69 -1.62
Greece: Athens/Athína 37.98 23.73, Thessaloniki 40.64 22.94
Guatemala: Guatemala City/Guatemala 14.63 -90.51
Guinea: Conakry 9.64 -13.58
Haiti: Port-au-Prince 18.59 -72.31
Honduras: Tegucigalpa 14.07 -87.19
Hungary: Budapest 47.50 19.04
Iceland: Reykjavík 64.15 -21.94
India: Mumbai/Bombay 19.08 72.88, Delhi/New Delhi 28.61 77.21, Bangalore/Bengaluru 12.97 77.59, Hyderabad 17.39 78.49, Chennai/Madras 13.08 80.27, Kolkata/Calcutta 22.57 88.36, Ahmedabad 23.02 72.57, Pune 18.52 73.86, Jaipur 26.91 75.79, Lucknow 26.85 80.95, Surat 21.17 72.83, Kanpur 26.45 80.33, Nagpur 21.15 79.09, Kochi/Cochin 9.93 76.27, Chandigarh 30.73 76.78, Panaji/Goa 15.49 73.83
Indonesia: Jakarta -6.21 106.85, Surabaya -7.26 112.75, Bandung -6.92 107.61, Medan 3.60 98.67, Denpasar/Bali -8.65 115.22, Yogyakarta -7.80 110.37
Iran: Tehran 35.69 51.39, Mashhad 36.30 59.61, Isfahan 32.65 51.67
Iraq: Baghdad 33.31 44.37, Basra 30.51 47.78
Ireland: Dublin 53.35 -6.26, Cork 51.90 -8.47, Galway 53.27 -9.05
Israel: Tel Aviv 32.09 34.78, Jerusalem 31.77 35.21, Haifa 32.79 34.99
Italy: Rome/Roma 41.90 12.50, Milan/Milano 45.46 9.19, Naples/Napoli 40.85 14.27, Turin/Torino 45.07 7.69, Palermo 38.12 13.36, Bologna 44.49 11.34, Florence/Firenze 43.77 11.26, Genoa/Genova 44.41 8.93, Venice/Venezia 45.44 12.32
Jamaica: Kingston 17.97 -76.79
Japan: Tokyo 35.68 139.69, Osaka 34.69 135.50, Yokohama 35.44 139.64, Nagoya 35.18 136.91, Sapporo 43.06 141.35, Fukuoka 33.59 130.40, Kyoto 35.01 135.77, Kobe 34.69 135.20, Sendai 38.27 140.87, Hiroshima 34.39 132.46
Jordan: Amman 31.96 35.95
Kazakhstan: Almaty 43.24 76.89, Astana 51.17 71.45
Kenya: Nairobi -1.29 36.82, Mombasa -4.04 39.67
Kosovo: Pristina/Prishtina 42.66 21.17
Kuwait: Kuwait City 29.38 47.99
Kyrgyzstan: Bishkek 42.87 74.59
Laos: Vientiane 17.97 102.63
Latvia: Riga 56.95 24.11
Lebanon: Beirut 33.89 35.50
Libya: Tripoli 32.89 13.19
Lithuania: Vilnius 54.69 25.28, Kaunas 54.90 23.90
Luxembourg: Luxembourg 49.61 6.13
Madagascar: Antananarivo -18.88 47.51
Malawi: Lilongwe -13.97 33.79
Malaysia: Kuala Lumpur 3.14 101.69, Penang/George Town 5.41 100.34, Johor Bahru 1.49 103.74
Mali: Bamako 12.64 -8.00
Malta: Valletta 35.90 14.51
Mexico: Mexico City/Ciudad de México 19.43 -99.13, Guadalajara 20.66 -103.35, Monterrey 25.69 -100.32, Puebla 19.04 -98.21, Tijuana 32.51 -117.04, León 21.12 -101.68, Mérida 20.97 -89.62, Cancún 21.16 -86.85
Moldova: Chișinău 47.01 28.86
Mongolia: Ulaanbaatar 47.89 106.91
Montenegro: Podgorica 42.43 19.26
Morocco: Casablanca 33.57 -7.59, Rabat 34.02 -6.84, Marrakesh/Marrakech 31.63 -7.99, Fez/Fès 34.03 -5.00, Tangier/Tanger 35.76 -5.83
Mozambique: Maputo -25.97 32.57
Myanmar: Yangon/Rangoon 16.84 96.17, Mandalay 21.96 96.09
Namibia: Windhoek -22.56 17.08
Nepal: Kathmandu 27.72 85.32
Netherlands: Amsterdam 52.37 4.90, Rotterdam 51.92 4.48, The Hague/Den Haag 52.08 4.31, Utrecht 52.09 5.12, Eindhoven 51.44 5.47, Groningen 53.22 6.57
New Zealand: Auckland -36.85 174.76, Wellington -41.29 174.78, Christchurch -43.53 172.64, Hamilton -37.79 175.28
Nicaragua: Managua 12.11 -86.24
Nigeria: Lagos 6.52 3.38, Kano 12.00 8.52, Ibadan 7.38 3.95, Abuja 9.08 7.40, Port Harcourt 4.82 7.05
North Macedonia: Skopje 42.00 21.43
Norway: Oslo 59.91 10.75, Bergen 60.39 5.32, Trondheim 63.43 10.40
Oman: Muscat 23.59 58.38
Pakistan: Karachi 24.86 67.01, Lahore 31.55 74.34, Faisalabad 31.45 73.13, Islamabad/Rawalpindi 33.68 73.05, Hyderabad 25.40 68.36
Palestine: Gaza 31.50 34.47, Ramallah 31.90 35.20
Panama: Panama City/Panamá 8.98 -79.52
Papua New Guinea: Port Moresby -9.44 147.18
Paraguay: Asunción -25.26 -57.58
Peru: Lima -12.05 -77.04, Arequipa -16.41 -71.54, Cusco -13.53 -71.97
Philippines: Manila 14.60 120.98, Cebu 10.32 123.89, Davao 7.19 125.46
Poland: Warsaw/Warszawa 52.23 21.01, Kraków/Cracow 50.06 19.94, Wrocław 51.11 17.04, Poznań 52.41 16.93, Gdańsk 54.35 18.65, Łódź 51.76 19.46, Katowice 50.26 19.02
Portugal: Lisbon/Lisboa 38.72 -9.14, Porto 41.15 -8.61
Puerto Rico: San Juan 18.47 -66.11
Qatar: Doha 25.29 51.53
Romania: Bucharest/București 44.43 26.10, Cluj-Napoca/Cluj 46.77 23.59, Timișoara 45.75 21.23
Russia: Moscow/Moskva 55.76 37.62, Saint Petersburg/Sankt-Peterburg 59.93 30.34, Novosibirsk 55.03 82.92, Yekaterinburg 56.84 60.61, Kazan 55.80 49.11, Vladivostok 43.12 131.89
Rwanda: Kigali -1.95 30.06
Saudi Arabia: Riyadh 24.71 46.68, Jeddah 21.49 39.19, Mecca/Makkah 21.42 39.83, Medina/Madinah 24.47 39.61, Dammam 26.43 50.10
Senegal: Dakar 14.72 -17.47
Serbia: Belgrade/Beograd 44.79 20.45, Novi Sad 45.26 19.83
Sierra Leone: Freetown 8.47 -13.23
Singapore: Singapore 1.35 103.82
Slovakia: Bratislava 48.15 17.11, Košice 48.72 21.26
Slovenia: Ljubljana 46.06 14.51
Somalia: Mogadishu 2.05 45.32
South Africa: Johannesburg -26.20 28.05, Cape Town -33.92 18.42, Durban -29.86 31.02, Pretoria -25.75 28.19, Gqeberha/Port Elizabeth -33.96 25.60
South Korea: Seoul 37.57 126.98, Busan 35.18 129.08, Incheon 37.46 126.71, Daegu 35.87 128.60
Spain: Madrid 40.42 -3.70, Barcelona 41.39 2.17, Valencia 39.47 -0.38, Seville/Sevilla 37.39 -5.98, Málaga 36.72 -4.42, Bilbao 43.26 -2.93, Zaragoza 41.65 -0.89, Palma 39.57 2.65, Las Palmas 28.12 -15.43, Granada 37.18 -3.60, Córdoba 37.89 -4.78
Sri Lanka: Colombo 6.93 79.86
Sudan: Khartoum 15.50 32.56
Sweden: Stockholm 59.33 18.07, Gothenburg/Göteborg 57.71 11.97, Malmö 55.60 13.00, Uppsala 59.86 17.64
Switzerland: Zurich/Zürich 47.37 8.54, Geneva/Genève 46.20 6.14, Basel 47.56 7.59, Bern 46.95 7.45, Lausanne 46.52 6.63
Syria: Damascus 33.51 36.28, Aleppo 36.20 37.16
Taiwan: Taipei 25.03 121.57, Kaohsiung 22.63 120.30, Taichung 24.15 120.67
Tajikistan: Dushanbe 38.56 68.77
Tanzania: Dar es Salaam -6.79 39.21, Arusha -3.37 36.68
Thailand: Bangkok 13.76 100.50, Chiang Mai 18.79 98.98, Phuket 7.88 98.39
Togo: Lomé 6.13 1.22
Trinidad and Tobago: Port of Spain 10.65 -61.51
Tunisia: Tunis 36.81 10.18
Turkey: Istanbul 41.01 28.98, Ankara 39.93 32.86, Izmir 38.42 27.14, Antalya 36.90 30.71, Bursa 40.19 29.06
Turkmenistan: Ashgabat 37.96 58.33
Uganda: Kampala 0.35 32.58
Ukraine: Kyiv/Kiev 50.45 30.52, Kharkiv 49.99 36.23, Odesa/Odessa 46.48 30.72, Lviv 49.84 24.03, Dnipro 48.46 35.05
United Arab Emirates: Dubai 25.20 55.27, Abu Dhabi 24.45 54.38, Sharjah 25.35 55.42
United Kingdom: London 51.51 -0.13, Birmingham 52.49 -1.89, Manchester 53.48 -2.24, Glasgow 55.86 -4.25, Edinburgh 55.95 -3.19, Leeds 53.80 -1.55, Liverpool 53.41 -2.98, Bristol 51.45 -2.59, Sheffield 53.38 -1.47, Newcastle 54.98 -1.61, Nottingham 52.95 -1.16, Cardiff 51.48 -3.18, Belfast 54.60 -5.93, Brighton 50.82 -0.14, Cambridge 52.21 0.12, Oxford 51.75 -1.26
United States: New York/New York City 40.71 -74.01, Los Angeles 34.05 -118.24, Chicago 41.88 -87.63, Houston 29.76 -95.37, Phoenix 33.45 -112.07, Philadelphia 39.95 -75.17, San Antonio 29.42 -98.49, San Diego 32.72 -117.16, Dallas 32.78 -96.80, Austin 30.27 -97.74, San Jose 37.34 -121.89, San Francisco 37.77 -122.42, Seattle 47.61 -122.33, Denver 39.74 -104.99, Washington 38.91 -77.04, Boston 42.36 -71.06, Nashville 36.16 -86.78, Detroit 42.33 -83.05, Portland 45.52 -122.68, Las Vegas 36.17 -115.14, Miami 25.76 -80.19, Atlanta 33.75 -84.39, Minneapolis 44.98 -93.27, New Orleans 29.95 -90.07, Orlando 28.54 -81.38, Tampa 27.95 -82.46, Charlotte 35.23 -80.84, Pittsburgh 40.44 -80.00, Cleveland 41.50 -81.69, Columbus 39.96 -83.00, Indianapolis 39.77 -86.16, Kansas City 39.10 -94.58, Salt Lake City 40.76 -111.89, Sacramento 38.58 -121.49, St. Louis 38.63 -90.20, Baltimore 39.29 -76.61, Raleigh 35.78 -78.64, Honolulu 21.31 -157.86, Anchorage 61.22 -149.90, Birmingham 33.52 -86.80, Cambridge 42.37 -71.11
Uruguay: Montevideo -34.90 -56.16
Uzbekistan: Tashkent 41.30 69.24, Samarkand 39.65 66.96
Venezuela: Caracas 10.48 -66.90, Maracaibo 10.65 -71.64, Valencia 10.16 -68.00, Mérida 8.59 -71.16
Vietnam: Ho Chi Minh City/Saigon 10.82 106.63, Hanoi 21.03 105.85, Da Nang 16.05 108.20
Yemen: Sanaa 15.37 44.19, Aden 12.79 45.02
Zambia: Lusaka -15.39 28.32
Zimbabwe: Harare -17.83 31.05, Bulawayo -20.15 28.58
`
