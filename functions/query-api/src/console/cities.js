// Names of prefecture-level cities, prefectures, leagues and autonomous prefectures by the first four digits of an administrative code (GB/T 2260).

// Two digits after those of the province, the name in Chinese without 市 (what is no city has its whole name), the name in English.
const CITIES = {
  11: "01北京 Beijing", 12: "01天津 Tianjin", 31: "01上海 Shanghai", 50: "01重庆 Chongqing",
  13: "01石家庄 Shijiazhuang,02唐山 Tangshan,03秦皇岛 Qinhuangdao,04邯郸 Handan,05邢台 Xingtai,06保定 Baoding,07张家口 Zhangjiakou,08承德 Chengde,09沧州 Cangzhou,10廊坊 Langfang,11衡水 Hengshui",
  14: "01太原 Taiyuan,02大同 Datong,03阳泉 Yangquan,04长治 Changzhi,05晋城 Jincheng,06朔州 Shuozhou,07晋中 Jinzhong,08运城 Yuncheng,09忻州 Xinzhou,10临汾 Linfen,11吕梁 Lüliang",
  15: "01呼和浩特 Hohhot,02包头 Baotou,03乌海 Wuhai,04赤峰 Chifeng,05通辽 Tongliao,06鄂尔多斯 Ordos,07呼伦贝尔 Hulunbuir,08巴彦淖尔 Bayannur,09乌兰察布 Ulanqab,22兴安盟 Hinggan,25锡林郭勒盟 Xilingol,29阿拉善盟 Alxa",
  21: "01沈阳 Shenyang,02大连 Dalian,03鞍山 Anshan,04抚顺 Fushun,05本溪 Benxi,06丹东 Dandong,07锦州 Jinzhou,08营口 Yingkou,09阜新 Fuxin,10辽阳 Liaoyang,11盘锦 Panjin,12铁岭 Tieling,13朝阳 Chaoyang,14葫芦岛 Huludao",
  22: "01长春 Changchun,02吉林 Jilin,03四平 Siping,04辽源 Liaoyuan,05通化 Tonghua,06白山 Baishan,07松原 Songyuan,08白城 Baicheng,24延边朝鲜族自治州 Yanbian",
  23: "01哈尔滨 Harbin,02齐齐哈尔 Qiqihar,03鸡西 Jixi,04鹤岗 Hegang,05双鸭山 Shuangyashan,06大庆 Daqing,07伊春 Yichun,08佳木斯 Jiamusi,09七台河 Qitaihe,10牡丹江 Mudanjiang,11黑河 Heihe,12绥化 Suihua,27大兴安岭地区 Daxing'anling",
  32: "01南京 Nanjing,02无锡 Wuxi,03徐州 Xuzhou,04常州 Changzhou,05苏州 Suzhou,06南通 Nantong,07连云港 Lianyungang,08淮安 Huai'an,09盐城 Yancheng,10扬州 Yangzhou,11镇江 Zhenjiang,12泰州 Taizhou,13宿迁 Suqian",
  33: "01杭州 Hangzhou,02宁波 Ningbo,03温州 Wenzhou,04嘉兴 Jiaxing,05湖州 Huzhou,06绍兴 Shaoxing,07金华 Jinhua,08衢州 Quzhou,09舟山 Zhoushan,10台州 Taizhou,11丽水 Lishui",
  34: "01合肥 Hefei,02芜湖 Wuhu,03蚌埠 Bengbu,04淮南 Huainan,05马鞍山 Ma'anshan,06淮北 Huaibei,07铜陵 Tongling,08安庆 Anqing,10黄山 Huangshan,11滁州 Chuzhou,12阜阳 Fuyang,13宿州 Suzhou,15六安 Lu'an,16亳州 Bozhou,17池州 Chizhou,18宣城 Xuancheng",
  35: "01福州 Fuzhou,02厦门 Xiamen,03莆田 Putian,04三明 Sanming,05泉州 Quanzhou,06漳州 Zhangzhou,07南平 Nanping,08龙岩 Longyan,09宁德 Ningde",
  36: "01南昌 Nanchang,02景德镇 Jingdezhen,03萍乡 Pingxiang,04九江 Jiujiang,05新余 Xinyu,06鹰潭 Yingtan,07赣州 Ganzhou,08吉安 Ji'an,09宜春 Yichun,10抚州 Fuzhou,11上饶 Shangrao",
  37: "01济南 Jinan,02青岛 Qingdao,03淄博 Zibo,04枣庄 Zaozhuang,05东营 Dongying,06烟台 Yantai,07潍坊 Weifang,08济宁 Jining,09泰安 Tai'an,10威海 Weihai,11日照 Rizhao,13临沂 Linyi,14德州 Dezhou,15聊城 Liaocheng,16滨州 Binzhou,17菏泽 Heze",
  41: "01郑州 Zhengzhou,02开封 Kaifeng,03洛阳 Luoyang,04平顶山 Pingdingshan,05安阳 Anyang,06鹤壁 Hebi,07新乡 Xinxiang,08焦作 Jiaozuo,09濮阳 Puyang,10许昌 Xuchang,11漯河 Luohe,12三门峡 Sanmenxia,13南阳 Nanyang,14商丘 Shangqiu,15信阳 Xinyang,16周口 Zhoukou,17驻马店 Zhumadian",
  42: "01武汉 Wuhan,02黄石 Huangshi,03十堰 Shiyan,05宜昌 Yichang,06襄阳 Xiangyang,07鄂州 Ezhou,08荆门 Jingmen,09孝感 Xiaogan,10荆州 Jingzhou,11黄冈 Huanggang,12咸宁 Xianning,13随州 Suizhou,28恩施土家族苗族自治州 Enshi",
  43: "01长沙 Changsha,02株洲 Zhuzhou,03湘潭 Xiangtan,04衡阳 Hengyang,05邵阳 Shaoyang,06岳阳 Yueyang,07常德 Changde,08张家界 Zhangjiajie,09益阳 Yiyang,10郴州 Chenzhou,11永州 Yongzhou,12怀化 Huaihua,13娄底 Loudi,31湘西土家族苗族自治州 Xiangxi",
  44: "01广州 Guangzhou,02韶关 Shaoguan,03深圳 Shenzhen,04珠海 Zhuhai,05汕头 Shantou,06佛山 Foshan,07江门 Jiangmen,08湛江 Zhanjiang,09茂名 Maoming,12肇庆 Zhaoqing,13惠州 Huizhou,14梅州 Meizhou,15汕尾 Shanwei,16河源 Heyuan,17阳江 Yangjiang,18清远 Qingyuan,19东莞 Dongguan,20中山 Zhongshan,51潮州 Chaozhou,52揭阳 Jieyang,53云浮 Yunfu",
  45: "01南宁 Nanning,02柳州 Liuzhou,03桂林 Guilin,04梧州 Wuzhou,05北海 Beihai,06防城港 Fangchenggang,07钦州 Qinzhou,08贵港 Guigang,09玉林 Yulin,10百色 Baise,11贺州 Hezhou,12河池 Hechi,13来宾 Laibin,14崇左 Chongzuo",
  46: "01海口 Haikou,02三亚 Sanya,03三沙 Sansha,04儋州 Danzhou",
  51: "01成都 Chengdu,03自贡 Zigong,04攀枝花 Panzhihua,05泸州 Luzhou,06德阳 Deyang,07绵阳 Mianyang,08广元 Guangyuan,09遂宁 Suining,10内江 Neijiang,11乐山 Leshan,13南充 Nanchong,14眉山 Meishan,15宜宾 Yibin,16广安 Guang'an,17达州 Dazhou,18雅安 Ya'an,19巴中 Bazhong,20资阳 Ziyang,32阿坝藏族羌族自治州 Ngawa,33甘孜藏族自治州 Garzê,34凉山彝族自治州 Liangshan",
  52: "01贵阳 Guiyang,02六盘水 Liupanshui,03遵义 Zunyi,04安顺 Anshun,05毕节 Bijie,06铜仁 Tongren,23黔西南布依族苗族自治州 Qianxinan,26黔东南苗族侗族自治州 Qiandongnan,27黔南布依族苗族自治州 Qiannan",
  53: "01昆明 Kunming,03曲靖 Qujing,04玉溪 Yuxi,05保山 Baoshan,06昭通 Zhaotong,07丽江 Lijiang,08普洱 Pu'er,09临沧 Lincang,23楚雄彝族自治州 Chuxiong,25红河哈尼族彝族自治州 Honghe,26文山壮族苗族自治州 Wenshan,28西双版纳傣族自治州 Xishuangbanna,29大理白族自治州 Dali,31德宏傣族景颇族自治州 Dehong,33怒江傈僳族自治州 Nujiang,34迪庆藏族自治州 Dêqên",
  54: "01拉萨 Lhasa,02日喀则 Xigazê,03昌都 Qamdo,04林芝 Nyingchi,05山南 Shannan,06那曲 Nagqu,25阿里地区 Ngari",
  61: "01西安 Xi'an,02铜川 Tongchuan,03宝鸡 Baoji,04咸阳 Xianyang,05渭南 Weinan,06延安 Yan'an,07汉中 Hanzhong,08榆林 Yulin,09安康 Ankang,10商洛 Shangluo",
  62: "01兰州 Lanzhou,02嘉峪关 Jiayuguan,03金昌 Jinchang,04白银 Baiyin,05天水 Tianshui,06武威 Wuwei,07张掖 Zhangye,08平凉 Pingliang,09酒泉 Jiuquan,10庆阳 Qingyang,11定西 Dingxi,12陇南 Longnan,29临夏回族自治州 Linxia,30甘南藏族自治州 Gannan",
  63: "01西宁 Xining,02海东 Haidong,22海北藏族自治州 Haibei,23黄南藏族自治州 Huangnan,25海南藏族自治州 Hainan,26果洛藏族自治州 Golog,27玉树藏族自治州 Yushu,28海西蒙古族藏族自治州 Haixi",
  64: "01银川 Yinchuan,02石嘴山 Shizuishan,03吴忠 Wuzhong,04固原 Guyuan,05中卫 Zhongwei",
  65: "01乌鲁木齐 Ürümqi,02克拉玛依 Karamay,04吐鲁番 Turpan,05哈密 Hami,23昌吉回族自治州 Changji,27博尔塔拉蒙古自治州 Bortala,28巴音郭楞蒙古自治州 Bayingolin,29阿克苏地区 Aksu,30克孜勒苏柯尔克孜自治州 Kizilsu,31喀什地区 Kashgar,32和田地区 Hotan,40伊犁哈萨克自治州 Ili,42塔城地区 Tacheng,43阿勒泰地区 Altay",
};

const whole = (chinese) => (/(盟|地区|自治州)$/.test(chinese) ? chinese : chinese + "市");

/// Names by the first four digits of a code, the English one first.
const NAMES = new Map(Object.entries(CITIES).flatMap(([province, cities]) => cities.split(",").map((city) => {
  const [, digits, chinese, english] = /^(\d\d)(\S+) (.+)$/.exec(city);
  return [province + digits, [english, whole(chinese)]];
})));

/// The names of the city with this code of six digits, the English one first; undefined where it is not known.
export const cityNames = (code) => NAMES.get(code.slice(0, 4));

/// The code of the city with this name in either language, with or without its suffix; null where there is none, or more than one.
export function cityCode(name) {
  const wanted = name.trim().toLowerCase();
  const known = ([english, chinese]) => english.toLowerCase() === wanted || chinese === wanted || chinese.replace(/市$/, "") === wanted;
  const found = [...NAMES].filter(([, names]) => known(names));
  return found.length === 1 ? found[0][0] + "00" : null;
}
