"""What stands in the places of voice commands that a house fills in: its rooms, floors, devices, and what people say.

Values of lists that the package leaves open, by language; the commands' own lists (colours, numbers) are the package's.
"""

from __future__ import annotations

from collections.abc import Mapping

# The kind of value of each open list.
KINDS: Mapping[str, str] = {
    "area": "area", "zone": "area", "floor": "floor", "name": "name", "timer_name": "item",
    "shopping_list_item": "item", "todo_list_item": "item", "message": "phrase", "search_query": "phrase",
    "timer_command": "phrase",
}  # fmt: skip

WORDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "en": {
        "area": ("kitchen", "living room", "bedroom", "garage", "bathroom", "office", "hallway", "attic"),
        "floor": ("ground floor", "first floor", "basement"),
        "name": ("ceiling lamp", "coffee machine", "heater", "desk fan", "radio", "robot", "garden lights"),
        "item": ("milk", "bread", "eggs", "call the dentist", "pasta", "laundry", "tea"),
        "phrase": ("dinner is ready", "the news", "turn off the oven", "jazz from the sixties", "we leave at eight"),
    },
    "de": {
        "area": ("Küche", "Wohnzimmer", "Schlafzimmer", "Garage", "Bad", "Büro", "Flur", "Dachboden"),
        "floor": ("Erdgeschoss", "erster Stock", "Keller"),
        "name": ("Deckenlampe", "Kaffeemaschine", "Heizung", "Ventilator", "Radio", "Roboter", "Gartenlicht"),
        "item": ("Milch", "Brot", "Eier", "Zahnarzt anrufen", "Nudeln", "Wäsche", "Tee"),
        "phrase": ("das Essen ist fertig", "die Nachrichten", "schalte den Ofen aus", "ruhige Musik", "wir gehen bald"),
    },
    "fr": {
        "area": ("cuisine", "salon", "chambre", "garage", "salle de bain", "bureau", "couloir", "grenier"),
        "floor": ("rez-de-chaussée", "premier étage", "sous-sol"),
        "name": ("plafonnier", "machine à café", "radiateur", "ventilateur", "radio", "robot", "lampe du jardin"),
        "item": ("lait", "pain", "œufs", "appeler le dentiste", "pâtes", "lessive", "thé"),
        "phrase": ("le repas est prêt", "les informations", "éteins le four", "du jazz", "nous partons à huit heures"),
    },
    "es": {
        "area": ("cocina", "salón", "dormitorio", "garaje", "baño", "despacho", "pasillo", "desván"),
        "floor": ("planta baja", "primera planta", "sótano"),
        "name": ("lámpara del techo", "cafetera", "calefactor", "ventilador", "radio", "robot", "luces del jardín"),
        "item": ("leche", "pan", "huevos", "llamar al dentista", "pasta", "colada", "té"),
        "phrase": ("la cena está lista", "las noticias", "apaga el horno", "música tranquila", "salimos a las ocho"),
    },
    "nl": {
        "area": ("keuken", "woonkamer", "slaapkamer", "garage", "badkamer", "kantoor", "gang", "zolder"),
        "floor": ("begane grond", "eerste verdieping", "kelder"),
        "name": ("plafondlamp", "koffiemachine", "kachel", "ventilator", "radio", "robot", "tuinlampen"),
        "item": ("melk", "brood", "eieren", "tandarts bellen", "pasta", "was", "thee"),
        "phrase": ("het eten is klaar", "het nieuws", "zet de oven uit", "rustige muziek", "we gaan om acht uur"),
    },
    "it": {
        "area": ("cucina", "soggiorno", "camera da letto", "garage", "bagno", "ufficio", "corridoio", "soffitta"),
        "floor": ("piano terra", "primo piano", "cantina"),
        "name": ("lampadario", "macchina del caffè", "stufa", "ventilatore", "radio", "robot", "luci del giardino"),
        "item": ("latte", "pane", "uova", "chiamare il dentista", "pasta", "bucato", "tè"),
        "phrase": ("la cena è pronta", "le notizie", "spegni il forno", "musica tranquilla", "usciamo alle otto"),
    },
    "zh-CN": {
        "area": ("厨房", "客厅", "卧室", "车库", "浴室", "办公室", "走廊", "阁楼"),
        "floor": ("一楼", "二楼", "地下室"),
        "name": ("吊灯", "咖啡机", "暖气", "风扇", "收音机", "机器人", "花园灯"),
        "item": ("牛奶", "面包", "鸡蛋", "给牙医打电话", "面条", "洗衣服", "茶叶"),
        "phrase": ("晚饭好了", "新闻", "关掉烤箱", "轻音乐", "我们八点出发"),
    },
}
