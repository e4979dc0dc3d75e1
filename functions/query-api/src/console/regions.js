// Names of provinces by the first two digits of an administrative code (GB/T 2260), and of system accounts by them.

import { cityCode, cityNames } from "./cities.js";
import { language } from "./texts.js";

const PROVINCES = {
  11: ["Beijing", "北京市"], 12: ["Tianjin", "天津市"], 13: ["Hebei", "河北省"], 14: ["Shanxi", "山西省"],
  15: ["Inner Mongolia", "内蒙古自治区"], 21: ["Liaoning", "辽宁省"], 22: ["Jilin", "吉林省"], 23: ["Heilongjiang", "黑龙江省"],
  31: ["Shanghai", "上海市"], 32: ["Jiangsu", "江苏省"], 33: ["Zhejiang", "浙江省"], 34: ["Anhui", "安徽省"],
  35: ["Fujian", "福建省"], 36: ["Jiangxi", "江西省"], 37: ["Shandong", "山东省"], 41: ["Henan", "河南省"],
  42: ["Hubei", "湖北省"], 43: ["Hunan", "湖南省"], 44: ["Guangdong", "广东省"], 45: ["Guangxi", "广西壮族自治区"],
  46: ["Hainan", "海南省"], 50: ["Chongqing", "重庆市"], 51: ["Sichuan", "四川省"], 52: ["Guizhou", "贵州省"],
  53: ["Yunnan", "云南省"], 54: ["Tibet", "西藏自治区"], 61: ["Shaanxi", "陕西省"], 62: ["Gansu", "甘肃省"],
  63: ["Qinghai", "青海省"], 64: ["Ningxia", "宁夏回族自治区"], 65: ["Xinjiang", "新疆维吾尔自治区"], 71: ["Taiwan", "台湾省"],
  81: ["Hong Kong", "香港特别行政区"], 82: ["Macao", "澳门特别行政区"],
};

/// The name of the region of a system account; of a city that is not known, that of its province in brackets; null where the code is none.
export function regionName(account) {
  const [, kind, code] = /^(PROVINCE|CITY):(\d{6})$/.exec(account) ?? [];
  if (!code) return null;
  const inLanguage = (names) => names?.[language() === "zh" ? 1 : 0];
  const province = inLanguage(PROVINCES[code.slice(0, 2)]);
  if (kind === "PROVINCE") return province ?? null;
  return inLanguage(cityNames(code)) ?? (province ? `(${province})` : null);
}

/// The system account of the province or city with this name, in either language; null where there is none. Beijing and the like are provinces.
export function regionAccount(name) {
  const wanted = name.trim().toLowerCase();
  const found = Object.entries(PROVINCES).find(([, names]) => names.some((known) => known.toLowerCase() === wanted || known.replace(/(省|市|.族.*自治区|自治区|特别行政区)$/, "") === wanted));
  if (found) return `PROVINCE:${found[0]}0000`;
  const city = cityCode(name);
  return city && `CITY:${city}`;
}
