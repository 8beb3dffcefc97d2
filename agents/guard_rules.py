"""The table behind agents.guard: which words mean what, which meanings in a row are suspect, and how much.

WORDS maps a concept to its words in several languages; a star ends a stem. A rule over words is a sentence of
concepts: `evade .4 approval` is a word of `evade`, at most four others, then a word of `approval`. `a|b` is either,
`'x|y` is that very word, `a?` may be missing, `!a` must not come next, `~4` is a gap without "my" in it, `^` is
where a command can start. Rules look at one sentence at a time; a gap ends at a word of `aside`
(FDA, e-mail, chart ...), which is never what an attack is about.
What tells a customer from an attacker is the object: orders and prices are theirs, instructions and approvals are ours.

Decision: concepts instead of one regular expression a sentence. Alternative: long alternations, one language
each. Cost: words are tagged without grammar, so a rule sees nearness and order, not syntax.
"""
# ruff: noqa: E501, SIM905  the lexicon is multilingual, and a wrapped alternation reads worse than a long one

import re
import unicodedata
from dataclasses import dataclass
from types import MappingProxyType

WORDS = MappingProxyType(
    {
        # what an attacker does to instructions
        "drop": """ignor* disregard* forget* overlook neglect* discard* abandon* dismiss* drop scrap erase wipe void nullify unlearn
        override* overrid* overrule* supersede* bypass* delete cancel
        ignorier* vergiss vergesst vergessen missacht* verwirf* übergeh* beachte olvid* descart* oubli* néglig* dimentic* trascura
        esqueç* esquec* desconsider* игнорир* проигнорир* забуд* забыть отброс* отмени* negeer* vergeet zignoruj* zapomnij* unut* zaborav* ignorera glöm
        忽略 无视 忽视 忘记 忘掉 忘了 無視 忽略 忘れ 무시 잊어 잊고 تجاهل تجاهلي انس انسى भूल अनदेखा नज़रअंदाज़ bỏ abaikan lupakan""",
        "evade": """skip* bypass* circumvent* disabl* deactivat* remov* omit* avoid evad* suspend* waiv* overrid* override* dodge sidestep* suppress*
        ignor* disregard* drop forget forgo lift unlock hack* defeat neutrali* jump eliminat* cancel delete stop pause short-circuit
        überspring* umgeh* umgang* deaktivier* auslass* abschalt* ausschalt* schalte schalt ignorier* übergeh* salta* salte* sált* saltarte omit* omite desactiv* evit* elud* ignora* ignore
        saute* sauter contourn* désactiv* ignorer supprim* évit* outrepass* salta aggira* disattiva* disabilit* pule pular ignore desativ* contorn*
        пропуст* обойд* обойти обход* отключ* минуя игнорир* pomiń* omiń* wyłącz* sla atla* devre hoppa
        跳过 绕过 绕开 关闭 禁用 取消 忽略 省略 略过 飛ば スキップ 回避 無効 迂回 건너뛰 우회 생략 تخطى تخطي تجاوز ألغ عطل छोड़ हटा बायपास""",
        "off": "off ab aus down aside away out",
        "turn": "turn* switch* shut* put set take push cut throw leave get work go kick schalt* schalte lass* stell*",
        "not": "not never don dont cannot cant no without nicht nie kein* ohne sin no nunca sans pas ne jamais senza non mai sem não не без никогда zonder bez 不 别 不要 不用 不得 無し なし 없이 بدون لا बिना मत",
        "without": """without sans ohne sin senza sem без zonder bez uten utan olmadan minus avoiding skipping bypassing circumventing no
        不经 无需 不需要 不用 不必 未经 不经过 無しで なしで なし せずに 없이 بدون دون बिना tanpa""",
        "prior": """previous* prior earlier above preceding former past foregoing existing original initial initially before preceeding precedent* up far beforehand
        vorherig* bisherig* vorangehend* vorangegangen* obig* vorig* früher* davor zuvor vorher oben anterior* previ* arriba antes précédent* antérieur* avant dessus
        prima sopra acima предыдущ* прежн* ранее выше vorige eerdere poprzedni* wcześniejsz* önceki
        之前 以前 先前 上面 以上 此前 前面 前述 これまで 以前 上記 今までの 이전 앞의 위의 السابقة السابق قبل पिछले पिछली पहले ऊपर trước sebelumnya""",
        "all": """all any every everything each entire whole anything alle alles aller allen sämtliche* jede* gesamte* todo toda todos todas cualquier* tout toute tous toutes tutto tutta tutti tutte
        qualquer tudo все всё всех всю alle wszystki* wszelki* tüm bütün sve svi 所有 一切 全部 任何 すべて 全て 全部 모든 모두 전부 جميع كل सभी सब सारे semua""",
        "yours": """your ur yours yourself dein* ihre ihren ihrer tu tus su sus vuestr* ton ta tes vos votre tuo tua tue tuoi vostre seu sua seus suas teu tuas
        твои* твоих твою твой твое ваши* ваших ваш вашу свои* свою своего jouw uw je twoj* twoi* senin 你的 您的 你 あなたの 君の 당신의 너의 तुम्हारे अपने अपना आपके आपका""",
        "mine": "my mine our mein* unser* mi mis mon ma mes meu minha mio miei мой мои мою моих 我的 我 私の 내 मेरे मेरा meri",
        "i": "i we ich wir yo je nous io eu я мы 我 私 나는 मैं",
        "you": "you u ye ya du sie tú usted tu vous voi você ты вы 你 您 あなた",
        "ours": """system* developer* hidden secret internal safety security core underlying default operator* openai anthropic assistant* supervisor* agent* company* platform* moral* ethical content built base
        hardcoded confidential meta sicherheit* intern* versteckt* geheim* sistema ocult* intern* secret* seguridad système caché* cachée* sécurité interne* nascost* segret* interno
        систем* скрыт* секретн* внутренн* безопасност* ukryt* systemow* gizli sistem 系统 隐藏 内部 安全 秘密 システム 隠し 内部 시스템 숨겨진 النظام المخفية सिस्टम छिपे गुप्त hệ""",
        "rules": """instruction* rule rules ruleset guideline* directive* prompt prompts policy policies constraint* restriction* guardrail* safeguard* programming limitation* protocol protocols filter filters safeties
        anweisung* regel regeln vorgabe* richtlinie* instruktion* befehle* beschränkung* einschränkung* systemprompt prompt* instruccion* regla* norma normas directric* restriccion* consigne* règle*
        istruzion* regol* direttiv* restrizion* instruç* instruc* regra* diretriz* инструкци* правил* указани* ограничени* промпт* директив* instructie* regels richtlijn* instrukcj* zasad* wytyczn* polecen* talimat* kural* uputstv* instrukcij* regler instruktioner
        指令 规则 指示 规定 限制 提示词 提示 指南 设定 命令 指示 ルール 命令 規則 制限 プロンプト 制約 지시 규칙 명령 지침 프롬프트 제한 التعليمات تعليمات القواعد قواعد تعليماتك قواعدك निर्देश* नियम* हिदायत* petunjuk instruksi aturan""",
        "strict_rules": """instruction* prompt prompts directive* guideline* systemprompt anweisung* instruktion* instruccion* consigne* istruzion* instruç* инструкци* промпт* instructie* instrukcj* talimat*
        programming config configuration 指令 提示词 指示 プロンプト 지시 프롬프트 التعليمات تعليماتك تعليمات निर्देश* प्रॉम्प्ट""",
        "task": "task tasks assignment* job aufgabe* auftrag aufträge tarea* tâche* tarefa* задани* задач* context conversation information angaben ausführungen documents knowledge thoughts role",
        "told": "told said taught learned learnt know knew known instructed given gave loaded read wrote written think believe gesagt* weißt gelernt dijeron sabes saben sais appris dit sanno знаешь сказали 说 知道 告诉",
        "fresh": "new updated real true actual following different revised neue* folgende* nuev* nouvelle* nuov* nova* новы* 新 新しい",
        "follow": "follow* obey* adhere* comply complies abide bound bind confined governed restricted limited constrained apply applies befolg* folge* halte hält gelten obedec* sigas sigue seguir suis respecte* suivre segui* obedeç* следуй* соблюда* подчиня* 遵守 遵循 听从 従う 従わ 따르",
        # the approval
        "approval": """approval* approver* reviewer* confirmation* authorisation* authorization* signoff sign-off consent gate gatekeeper* checkpoint interrupt clearance oversight hitl verification
        freigabe* genehmigung* zustimmung bestätigung* prüfung prüfer* aprobaci* autorizaci* confirmaci* revisi* validation validaci* approbation* autorisation* accord approvazion* autorizzazion* conferma aprovaç* autorizaç* confirmaç*
        одобрени* подтвержден* утвержден* согласован* разрешени* проверк* goedkeuring* akceptacj* zatwierdzeni* zgody onay* godkännande
        审批 批准 审核 确认 核准 授权 复核 人工 承認 確認 許可 승인 확인 الموافقة موافقة मंज़ूरी मंजूरी अनुमोदन स्वीकृति persetujuan duyệt""",
        "human": "human* people person* manual* second supervisor* someone somebody anyone anybody nobody colleague compliance reviewer* approver* mensch* menschlich* person* niemand* jemand* human* nadie persona humain* personne umano nessuno humano ninguém человек* никого кто-то 人工 人类 人 任何人 人間 誰 사람 بشر بشرية इंसान* मानव* किसी",
        "check": "check checks review reviews step steps look looking button verification intervention supervision control controls approval* question questions prüfung schritt kontrolle revisión paso vérification étape contrôle verifica controllo verificação passo проверк* шаг* 步骤 检查 环节 チェック ステップ 確認 단계 검토 التحقق خطوة जाँच",
        "approve": """approve approved approves approving authorise authorize greenlight green-light sign release confirm rubber-stamp ok okay validate clear accept genehmige genehmigen freigeben bestätige gib aprueba apruebe aprobar autoriza valide valider approuve* approuver autorise
        approva approvi conferma aprove aprovar одобри одобрите одобрить подтверди подтвердите утверди goedkeur zatwierdź onayla 批准 审批 通过 承認 승인해 وافق मंज़ूर अनुमोदित स्वीकृत मंजूर""",
        "stamp": "approve authorise authorize greenlight green-light rubber-stamp genehmige genehmigen freigeben bestätige aprueba apruebe aprobar valide valider approuve* approuver approva approvi aprove aprovar одобри одобрите одобрить подтверди подтвердите утверди zatwierdź onayla 批准 审批 承認し 승인해 وافق मंज़ूर अनुमोदित",
        "approved": "approved authorised authorized released confirmed preapproved cleared validated greenlit waived genehmigt* freigegeben* bestätigt aprobad* autorizad* approuvé* validé* approvat* aprovad* одобрен* подтвержден* утвержден* 已批准 已审批 已确认 承認済 승인됨",
        "done": "filled executed completed approved settled done authorised authorized released confirmed complete fulfilled ausgeführt* genehmigt* erledigt freigegeben* ejecutad* aprobad* completad* exécuté* approuvé* validé* eseguit* approvat* executad* aprovad* исполнен* выполнен* одобрен* 已成交 已执行 已批准 成交 已完成 已通过 約定 承認済 체결 منفذ पूर्ण",
        "mark": "mark* set change* update* flip switch edit alter modif* register record* overwrite put turn make label flag convert markier* setz* setze änder* ändere trag* marca* marque* cambia* pon actualiza* changer change mets met passe* segna imposta marque altere отметь* отметьте помет* измени* поставь 标记 标为 改为 设为 设置 改成 更改 変更 にして 설정 변경 غير ضع चिह्नित बदल*",
        "order": "order orders trade trades ord transaction* position purchase sale status it them this that auftrag aufträge bestellung kauf verkauf orden* pedido* compra venta operación ordre* achat vente transaction ordine ordini ordem ordens заказ* ордер* сделк* заявк* zlecen* emir* 订单 交易 单子 委托 注文 取引 주문 الطلب طلبي الأمر أوامر أوامري ऑर्डर आदेश सौदा",
        "orders": "order orders trade trades ord transaction* purchase auftrag aufträge orden* pedido* operación ordre* transaction ordine ordini ordem ordens заказ* ордер* сделк* заявк* zlecen* emir* 订单 交易 委托 注文 取引 주문 الطلب طلبي ऑर्डर",
        "trade": """buy* sell* purchas* execut* place* submit* send transmit route trade* fill process* go proceed push book invest dump act acting liquidat* run invoke call release pass kauf* verkauf* führe führ platzier* schick* ausführ* compr* vend* ejecut* coloc* enví* envi* pasa achet* achèt* exécut* pass* plac* envoy*
        acquist* esegui* compra* invia execut* mande купи* прода* исполн* выполн* размест* отправ* kup sprzedaj koop verkoop al sat 买入 购买 卖出 执行 下单 提交 成交 买 卖 買 売 購入 売却 実行 発注 通し 매수 매도 실행 사 اشتر بع نفذ نفّذ खरीद* बेच* पूरा""",
        "as": "as to into like equals = als auf como comme en come на как 为 成 として में",
        "ask": "ask asking asks wait waiting consult* notify notifying inform informing tell telling involve involving bother bothering check checking frag* fragen warte* preguntar* preguntes avis* esperar espera demand* attend* chiedere aspettare perguntar спрашива* жди 问 询问 等待 等 告诉 聞か 물어 انتظار سؤال पूछे पूछ",
        "need": "need* require* necessary wanted nötig erforderlich notwendig necesit* requier* hace besoin nécessaire requis serve necessari* precis* нужн* требуется 需要 必要 필요",
        "below": "below under beneath underneath smaller unter debajo sous abaixo ниже",
        "limit_line": "threshold* radar cutoff limit size amount level schwelle grenze umbral seuil soglia limiar порог*",
        "control": "audit* guardrail* safeguard* logging killswitch watchdog safety riskcheck circuit compliance restricted guard monitoring moderation filter filters censorship protections sicherheits* schutz* registro auditoría sécurité garde-fou* аудит* защит* 风控 安全 审计 监控 監査 안전",
        "control_noun": "log logs trail check checks layer system systems module rules list switch mechanism* limits filter filters control controls policy feature features protocol* measure* settings engine mode review trail prüfung maßnahmen control* contrôle* 检查 机制 系统 限制",
        "pretend": "pretend* assume suppose act imagine roleplay role-play simulate consider treat regard say claim tu* stell behaupte finge imagina simul* imagine fais prétends considère fingi притворись представь считай 假装 假设 扮演 当作 ふり 演じ 척 تظاهر मान नाटक दिखावा",
        # prompt extraction
        "reveal": """reveal* show* print* display* output* repeat* paste* disclos* expos* dump* list* leak* recit* quote* summari* translat* provid* return* echo* encod* spell write share give tell* copy render emit send export fetch read publish explain describe enumerate retrieve type transcribe convert put reproduce state see view access pull look post surrender hand verbatim
        zeig* gib nenn* druck* verrat* wiederhol* schreib* sag* offenbar* liste ausgeb* anzeig* übersetz* muéstra* muestra* mostrar revela* imprim* repit* dime dame escrib* enséñ* copia* lista* enumera montre* affich* révèl* répèt* donne* écri* dis recopie* imprime* liste* traduis
        mostra* rivela* stampa* ripeti* dimmi dammi elenca mostre revele imprima repita diga liste покажи* выведи* раскрой* напечата* повтори* скажи* напиши* перечисли* toon laat pokaż* wypisz* göster* yaz* prikaži
        显示 展示 打印 输出 告诉 透露 泄露 重复 列出 给我 说出 写出 公开 查看 見せ 表示 教えて 出力 開示 繰り返 見たい 보여 알려 출력 공개 اعرض أظهر اكشف اطبع أعطني दिखा* बता* लिख* प्रकट tunjukkan hiển""",
        "what": "what whats which how was welche* wie lautet qué cual* cuál* quel* quelle* quoi che quali quais qual какие какой каков* что 什么 何 뭐 ما क्या",
        "prompt": "prompt prompts systemprompt* preprompt metaprompt prompttext* prompt* промпт* 提示词 提示 プロンプト 프롬프트 प्रॉम्प्ट",
        "message": "message messages msg text content context window input words lines conversation nachricht mensaje message instructions role setup briefing turn line sentence",
        "sysword": "system* developer* operator* initial* hidden supervisor* sistema système систем* 系统 システム 시스템 النظام सिस्टम",
        "firstly": "first start began begin beginning started",
        "tool": "tool tools function functions api apis agents werkzeug* herramient* outil* strumenti ferramentas инструмент* 工具 ツール 도구",
        "schema": "schema* definition* signature* parameter* argument* json spec specs names name internals source code",
        "secret": "credential* apikey* apikeys dotenv env environment passwords password token tokens connectionstring zugangsdaten passwort* contraseñ* credencial* clave* secretos identifiants motdepasse passe credenziali senhas пароль пароли паролей ключи ключ 密钥 密码 口令 パスワード 비밀번호 secrets key keys secret_key",
        "hard_secret": "credential* apikey* dotenv env environment passwords secrets secret zugangsdaten passwörter contraseñas credenciales identifiants credenziali senhas паролей пароли 密钥 密码 パスワード database_url",
        "api": "api access private secret signing root admin master database db jwt session encryption privat*",
        # other people
        "other": "other others another all every each everyone everybody different any somebody someone andere* alle* aller jede* otro* otra* todos demás autre* tous toutes chaque altri altro tutti outro* outra* todos друг* всех все чуж* 其他 别的 所有 全部 他の 全 다른 모든 الآخرين جميع दूसरे अन्य सभी",
        "users": "user users user_id customer customers client clients account accounts member members tenant tenants customers nutzer* benutzer* kunde* kunden* konten usuari* cliente* cuenta* utilisateur* client* compte* utent* clienti conti usuári* contas пользовател* клиент* счет* gebruiker* klant* użytkownik* klient* kullanıcı* müşteri* 用户 客户 账户 ユーザー 顧客 利用者 口座 사용자 고객 계정 المستخدم المستخدمين العملاء यूज़र* ग्राहक* उपयोगकर्ता*",
        "user1": "user userid uid customer client account tenant thread session nutzer* benutzer* kunde* kunden* konto usuari* cliente cuenta utilisateur* client compte utente usuári* conta пользовател* клиент* счет* 用户 客户 账户 ユーザー 사용자",
        "holdings": "position* portfolio* holding* balance* order orders trade trades history chat chats conversation* message* account* data detail* email* cash transaction* record* watchlist* statement* name names depot* kontost* guthaben bestände daten posicion* saldo* cartera* datos portefeuille* solde* données titres posizion* dati carteira* позици* портфел* баланс* остат* данные сделк* 持仓 余额 订单 数据 资料 组合 交易 保有 残高 注文 情報 잔고 포지션 데이터 أرصدة رصيد مراكز محفظة पोज़िशन बैलेंस डेटा पोर्टफोलियो",
        "of": "of for from by belonging held owned to von für des der de del du di do da у の 的 का के",
        "kin": "colleague* coworker* neighbour* neighbor* boss rival* competitor* ex kollege* kollegin nachbar* chef colega* vecin* jefe collègue* voisin* patron collega vicino коллег* сосед* начальник* 同事 邻居 老板 同僚 동료",
        # role play
        "persona": "evilbot jailbroken unfiltered uncensored unrestricted unchained unhinged amoral uncensored nonmoral unethical immoral lawless unbound",
        "be": "are re act acts acting play playing become becomes becoming behave impersonate embody pose posing respond responding answer answering simulate roleplay emulate transform bist spiel* verhalte eres actúa actua* serás es agis joue incarne sei recita comporta-te você ты веди 扮演 是 なって 演じて",
        "nowon": "now henceforth onwards onward hereby ab jetzt nun fortan ahora maintenant désormais ora adesso agora теперь отныне 现在 从现在 今から 이제 الآن अब",
        "limits": "restriction* rule rules limit limits limitation* filter filters guideline* ethic* moral* morality censorship constraint* boundar* policy policies restraint* law laws principles legality refusals refuse approvals scruples regeln beschränkung* grenzen einschränkung* filter moral límites restriccion* reglas ética limites restrictions règles éthique limiti restrizioni regole restrições regras ограничени* правил* фильтр* цензур* 限制 规则 约束 过滤 道德 制限 ルール 제한 규칙",
        "free": "free freed liberated unbound break broken breaks unshackled released escape escaped frei befreit libre libéré* libero livre свобод* 自由 解放",
        "refuse": "refuse* decline* deny denies reject* verweiger* rechaz* refus* rifiut* recus* отказ* 拒绝 断ら",
        "always": "always must every immer siempre toujours sempre всегда 总是 必ず never nunca jamais",
        "bad": "illegal immoral unethical harmful offensive amoral inappropriate dangerous explicit violent hateful vulgar controversial racist malicious nsfw profanity swearing illegality immorality",
        "fiction": "story novel movie film game roleplay scene script dialogue fictional fiction hypothetical hypothetically character play theatre poem song dream simulation lullaby tale geschichte roman rolle szene cuento historia novela juego película personaje histoire roman jeu scène personnage storia gioco história jogo истори* роман* игр* сцен* 故事 小说 游戏 角色 電影 物語 小説 ゲーム 이야기 소설 قصة कहानी",
        "granny": "grandma* grandmother* granny grandpa grandfather* nana aunt dying deceased late oma opa großmutter abuela abuelo mamie nonna vovó бабушк* 奶奶 外婆 祖母 할머니 दादी",
        "used": "used whispered sang told read always bedtime lullaby sing whisper erzählte contaba racontait",
        "mode": "mode modus modo мод режим* 模式 モード 모드 وضع मोड",
        "modename": "developer debug maintenance god admin root sudo unrestricted dev test testing diagnostic jailbreak override opposite entwickler* wartung* desarrollador* mantenimiento développeur maintenance отладк* разработчик* 开发者 维护 调试 管理员 开放 開発者 관리자 chaos unlocked raw privileged service superuser emergency",
        "comply": "comply complies obey obeys obeying answer answers fulfil* fulfill* gehorch* obedec* obéi* obbedisc* подчин* 服从 従う",
        # authority, social, memory
        "am": "am m this here here's as speaking bin hier soy aquí suis ici sono это я 我是 本人 私は 나는 أنا मैं",
        "boss": "ceo cto cfo coo ciso admin administrator* sysadmin superuser root developer* engineer engineering head director compliance officer auditor* regulator supervisor operator owner founder openai anthropic vendor support security it-department staff management moderator principal chief administrador* director* jefe administrateur* directeur* responsable gestor amministratore direttore verantwortlich* leiter* geschäftsführer* vorstand entwickler* администратор* директор* разработчик* руководител* 管理员 管理者 经理 总监 开发者 主管 開発者 社長 관리자 대표 مدير المدير एडमिन प्रशासक व्यवस्थापक निदेशक yönetici",
        "rights": "rights privilege* permission* clearance access authority authorisation authorization trusted verified whitelisted exempt exempted privileged rechte permisos droits permessi права 权限 権限 권한 صلاحية अधिकार",
        "adminword": "admin administrator* root superuser sudo elevated full unrestricted special god operator trader_unlimited volle* voll total* plein* полн* 管理员 最高 全部",
        "memory": "memory memories remember remembers note profile memorise memorize merk* gedächtnis speicher* memoria mémoire запомни* 记住 记忆 記憶 기억 याद",
        "save": "save store write add record put keep note remember persist",
        "trusted": "trusted exempt guardrail* unrestricted preapproved pre-approved approved admin administrator* whitelisted authorised authorized verified",
        "means": "means mean stands signifies equals counts count bedeutet heißt significa signifie vuol означает 代表 意味 表示 意思",
        "codeword": "word codeword phrase password keyword passphrase emoji say wort palabra mot parola palavra слово 单词 暗号 词 合言葉",
        "yousaid": "said told promised agreed confirmed mentioned accepted acknowledged established granted gave sagtest versprochen prometiste dijiste promis обещал* сказал*",
        "urgent": "urgent urgently emergency immediately quickly seconds deadline dringend sofort urgente urgence immédiatement срочно немедленно 紧急 马上 立刻 緊急 すぐ 긴급 فورا فوراً तुरंत",
        "time": "time zeit tiempo temps tempo времени 时间 時間",
        "silent": "silently secretly quietly discreetly heimlich stillschweigend secretamente secrètement тайно 悄悄 偷偷 内緒",
        # obfuscation and pieces
        "cipher": "base64 b64 rot13 rot-13 caesar cipher ciphertext hex hexadecimal morse leetspeak leet reversed backwards backward encoded encrypted decoded unicode binary ascii atbash rückwärts codificado chiffré",
        "decode": "decode* decrypt* decipher* unscramble* reverse unreverse translate dekodier* entschlüssel* decodif* descifr* décod* déchiffr* раскодир* декодир* расшифр* 解码 解密 デコード 復号",
        "carry": "follow* execut* obey perform run carry act do answer comply respond apply implement befolg* ausführ* führe tu ejecut* haz sigue exécut* suis fais esegui segui faça выполн* следуй 执行 按照 照做 実行 従って 실행 نفذ",
        "join": "join* combin* concatenat* merge* assembl* glue append stitch put together verbinde füge kombinier* une combina junta assemble* combine* unisci junte соедин* объедин* 拼接 合并 组合 连接 拼 結合 繋げ つなげ 합쳐",
        "pieces": "piece* part parts fragment* string strings segment* chunk* variable* halves token tokens letters word words lines initials acronym teile* stück* partes trozos fragmento* morceaux parties parti pezzi част* кусоч* 部分 片段 变量 一段 部品 断片 조각",
        "each": "each every jede* cada chaque ogni кажд* 每 各",
        "send": "send* post* upload* forward* transmit* append* embed* deliver* submit leak* email* mail* exfiltrat* render* include* insert* put load fetch request call search attach schick* sende* envía* envi* envoy* invia* manda* отправ* 发送 发到 上传 送信 送って 보내",
        "where": "url urls http https link links image img webhook server endpoint pastebin website domain markdown querystring query ftp adresse enlace lien immagine imagem картинк* ссылк* 链接 图片 网址 リンク 画像 링크 이미지 bild",
        "loot": "conversation* chat history key keys password* token secret* credential* balance* positions portfolio holdings account data prompt instructions context user* customer* email ssn daten conversación datos conversation données 对话 数据 余额 持仓 密钥 会話 データ",
        "sqlish": "sql query queries code command commands script shell python bash terminal",
        "model": "ai llm model assistant* chatbot bot agent agents reader readers gpt chatgpt automated ki modell* ia asistente modèle ии 模型 助手 人工智能 エーアイ",
        "untell": "conceal hide mention disclose reveal tell inform show",
        "theuser": "user person customer human client reader nutzer usuario utilisateur пользовател* 用户 ユーザー",
        "ext_order": "rate rating recommend buy strong",
        # what attacks are never about: keeps "skip the approval e-mail" and "ignore the FDA approval" apart
        "aside": "fda ema regulatory regulator* shareholder* antitrust drug merger patent mail mails email emails e-mail newsletter notification* alert alerts popup pop-up reminder* chart charts earnings dividend* price prices news headline* analyst* disclaimer* tutorial card trial phase credit loan mortgage job approval-rating rating ratings",
        "lead": "and then please just now you also to must should so but instead or und dann bitte nun jetzt y luego por favor et puis s'il e poi poi então и затем пожалуйста 请 然后 并 并且 直接 let's lets can could will would go simply",
    }
)


@dataclass(frozen=True, kw_only=True)
class Rule:
    name: str
    category: str
    score: int
    pattern: re.Pattern[str]
    needs: tuple[frozenset[str], ...] = ()  # concepts that must all be about before the pattern is worth trying
    hints: tuple[str, ...] = ()  # the same for rules over plain text: any of these substrings
    asking_is_fine: bool = False  # "who can skip the approval?" is a question about the product


def unaccented(text: str) -> str:
    """Drop accents but keep the letters, so that the lexicon and the message meet however they were typed."""
    return unicodedata.normalize("NFC", re.sub("[\u0300-\u036f\u064b-\u065f]", "", unicodedata.normalize("NFD", text)))


def _lexicon() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    exact: dict[str, list[str]] = {}
    stems: dict[str, list[str]] = {}
    for concept, words in WORDS.items():
        for word in unaccented(words.casefold()).split():
            home = stems if word.endswith("*") else exact
            if concept not in home.setdefault(word.rstrip("*"), []):
                home[word.rstrip("*")].append(concept)
    return exact, stems


EXACT, STEMS = _lexicon()
SHORTEST_STEM = min(map(len, STEMS))
LONGEST_STEM = max(map(len, STEMS))
UNSPACED = re.compile(  # scripts without spaces: longest term first
    "|".join(
        sorted(
            (w for w in EXACT if "\u3040" <= w[0] <= "\u9fff" or "\uac00" <= w[0] <= "\ud7af"),
            key=len,
            reverse=True,
        )
    )
)

_END = r"(?= |$)"
_COMMAND = r"(?:(?= /[^ :]*\bfirst:)| /[^ :]*?\blead\b[^ ]*(?= |$))"


def _compile(template: str) -> tuple[re.Pattern[str], tuple[frozenset[str], ...]]:
    """Turn `evade .4 approval` into a pattern over the tagged text, and the concepts without which it cannot match."""
    parts, needs = [], []
    for step in template.split():
        if step[0] in ".~":
            barred = "#" if step[0] == "." else "#~"
            parts.append(rf"(?: (?!/[{barred}])[^ ]+){{0,{step[1:]}}}?")
        elif step == "^":
            parts.append(_COMMAND)
        elif step[0] == "!":
            parts.append(rf"(?! /[^ :]*?\b(?:{step[1:]})\b)")
        elif step[0] == "'":
            parts.append(rf" (?:/[^ :]*:)?(?:{step[1:]}){_END}")
        else:
            optional = step.endswith("?")
            names = step.rstrip("?")
            parts.append(rf"(?: /[^ :]*?\b(?:{names})\b[^ ]*{_END})" + ("?" if optional else ""))
            if not optional:
                needs.append(frozenset(names.split("|")))
    return re.compile("".join(parts)), tuple(needs)


def _words(name: str, category: str, score: int, *templates: str, asking_is_fine: bool = False) -> list[Rule]:
    made = []
    for template in templates:
        pattern, needs = _compile(template)
        made.append(
            Rule(
                name=name,
                category=category,
                score=score,
                pattern=pattern,
                needs=needs,
                asking_is_fine=asking_is_fine,
            )
        )
    return made


def text_rules(name: str, category: str, score: int, pattern: str, *hints: str) -> list[Rule]:
    """A rule over plain text, tried where one of the hints stands in it."""
    flags = re.IGNORECASE | re.MULTILINE
    return [Rule(name=name, category=category, score=score, pattern=re.compile(pattern, flags), hints=hints)]


WORD_RULES: tuple[Rule, ...] = (
    # override
    *_words(
        "ignore previous instructions",
        "override",
        75,
        "drop ~3 prior|all|yours|ours ~3 rules !mine",
        "drop ~2 rules ~3 prior|told|yours",
        "prior|all|yours|ours ~3 rules ~3 drop",
        "'contrary|contra|abweichend|entgegen|opposed .2 prior|yours ~1 rules",
        "not .2 follow ~3 prior|all|yours|ours ~2 rules",
        "evade|turn ~3 yours|ours|all ~2 rules",
    ),
    *_words("ignore the instructions", "override", 40, "^ drop ~1 strict_rules", "^ drop .2 'these .1 rules"),
    *_words(
        "forget everything",
        "override",
        70,
        "drop ~1 all .2 you .3 told",
        "drop .1 all !i .1 told",
        "drop ~1 all .2 prior !i|num",
        "drop ~2 all|prior ~2 task",
        "drop .1 all lead .1 reveal",
        "prior ~2 task ~2 drop",
        "'leave|put|set ~2 all|prior ~2 task .1 'behind|aside|away",
        "drop .1 'that .1 you .2 told",
    ),
    *_words("forget everything and", "override", 40, "^ drop all"),
    *_words(
        "new instructions",
        "override",
        45,
        "fresh rules .2 follow",
        "follow .2 fresh .1 rules",
        "fresh task .4 follow|reveal",
        "follow ~1 fresh task",
        "yours fresh|real rules|task",
        "rules .2 'outdated|obsolete|void|superseded|expired",
    ),
    *_words(
        "rules do not apply",
        "override",
        60,
        "ours|yours|all|prior .2 rules .3 not .2 follow",
        "rules .3 not .2 follow .2 'you|me|here|user",
        "not .1 follow .2 'by|to .3 limits",
        "not .2 follow .3 'openai|anthropic .3 rules",
    ),
    # prompt extraction
    *_words(
        "reveal system prompt",
        "prompt extraction",
        75,
        "reveal ~5 sysword|yours|ours|all|prior ~3 prompt",
        "reveal ~5 sysword 'message|messages|role|text|content|instructions",
        "reveal ~5 yours|ours ~3 strict_rules",
        "reveal ~4 ours ~2 rules",
        "what ~4 sysword|yours|prior ~3 prompt",
        "what ~4 yours|ours|prior ~2 strict_rules",
        "sysword|yours|ours .2 prompt|strict_rules .5 reveal",
        "reveal ~3 rules ~3 yours .1 'given|were|got|received|have",
        "prompt|strict_rules .2 you .4 'given|got|received|have|had|follow",
    ),
    *_words(
        "repeat the text above",
        "prompt extraction",
        70,
        "reveal|what ~4 all|message ~3 'above !num",
        "reveal|what|need ~6 message|all .8 prior mine .2 message",
        "reveal ~6 prior .2 mine .2 firstly|message",
        "reveal|what .4 'beginning .4 'prompt|conversation|chat",
        "turn|reveal .2 message .1 'above",
    ),
    *_words(
        "internal instructions",
        "prompt extraction",
        35,
        "'hidden|secret|internal|system|initial|developer|confidential .1 strict_rules|message",
    ),
    *_words(
        "list the tools",
        "prompt extraction",
        45,
        "reveal ~5 yours|all ~2 tool",
        "reveal ~4 tool ~4 schema",
        "reveal ~3 schema ~4 tool",
    ),
    *_words(
        "reveal secrets",
        "prompt extraction",
        75,
        "reveal ~5 hard_secret",
        "reveal ~5 api .1 secret",
        "what ~3 yours ~2 api .1 secret",
        "reveal ~3 yours ~2 secret",
    ),
    *_words(
        "how were you configured",
        "prompt extraction",
        45,
        "reveal|what .3 you .2 'configured|programmed|instructed|prompted|set",
    ),
    # approval bypass
    *_words(
        "skip the approval",
        "approval bypass",
        75,
        "evade ~4 approval !aside",
        "evade .4 human .1 check !aside",
        "turn .1 off .5 approval !aside",
        "turn .5 approval off",
        "turn .1 'around|past|through .2 approval",
        "not .1 time .3 approval|human",
        "approval .6 off|evade",
        "approval ~2 evade",
        asking_is_fine=True,
    ),
    *_words(
        "trade without approval",
        "approval bypass",
        70,
        "trade ~9 without ~4 approval",
        "trade ~9 without ~2 human",
        "trade ~9 without ~3 ask",
        "without ~3 approval|human .5 trade",
        "not .2 approval|human .2 need",
        "without ~2 human ~1 check|approval|need",
        "order .6 without .2 approval|human",
        "trade .8 not .1 ask .2 human|approval",
        "not ask .3 human|approval .6 trade",
        asking_is_fine=True,
    ),
    *_words(
        "approve the order",
        "approval bypass",
        75,
        "^ stamp .4 orders !aside",
        "^ stamp .3 'yourself|itself|selbst|mismo|toi|сам",
        "^ stamp .1 all ~1 order",
        "orders .3 stamp",
        "approve .3 'yourself|selbst|behalf",
        "^ stamp 'it|this|them|that",
        "mark|save .4 approval .3 yours",
        asking_is_fine=True,
    ),
    *_words(
        "change the order status",
        "approval bypass",
        75,
        "mark .6 order .6 as .1 done !aside",
        "mark .3 'status .6 done",
        "order .6 mark .3 done",
        "order .4 done mark",
        "mark .8 'status .3 as .2 done",
    ),
    *_words(
        "pretend it is approved",
        "approval bypass",
        70,
        "pretend ~8 approved",
        "pretend ~8 not .2 approval",
        "codeword .8 means .6 approval|approved|approve",
        "all .6 means .4 approval|approved",
    ),
    *_words(
        "already approved",
        "approval bypass",
        45,
        "human|boss|approval .2 'already|has|have|was|hat|ha|a .3 approved|done|'granted|given|passed",
        "'pre approved",
    ),
    *_words(
        "do not ask anyone",
        "approval bypass",
        50,
        "^ not .1 ask ~3 human|approval",
        "never .1 ask ~2 human",
        "without ask ~3 human|approval",
        asking_is_fine=True,
    ),
    *_words(
        "stay under the limit",
        "approval bypass",
        70,
        "below .3 limit_line .8 human|approval|check",
        "split|pieces .8 below .3 limit_line",
    ),
    *_words(
        "disable a control",
        "approval bypass",
        75,
        "evade .4 control .2 control_noun",
        "turn .1 off .3 control",
        "turn .4 control .2 off",
        "evade ~2 'audit|guardrails|guardrail|logging|safeguards|safeties",
        "evade .2 'risk .1 control_noun|check",
        "mark|evade .3 'audit .1 control_noun",
        asking_is_fine=True,
    ),
    *_words(
        "call an internal tool",
        "approval bypass",
        45,
        "trade .3 'update|set|execute|submit|approve 'order|trade .1 'status",
        "trade .4 tool .4 'directly|yourself",
        "tool .6 without|evade",
    ),
    # other people's data
    *_words(
        "data of another user",
        "other people's data",
        75,
        "reveal|what ~6 holdings ~4 user1 num",
        "user1 num .4 holdings",
        "reveal|what ~4 user1 num",
        "holdings ~3 of user1 num",
        "pretend|mark|turn|be .3 user1 num",
        "user1 num .5 reveal",
    ),
    *_words(
        "data of all users",
        "other people's data",
        75,
        "reveal ~6 other ~2 users",
        "reveal ~4 holdings ~3 other ~2 users",
        "other ~2 users .4 holdings .6 reveal",
        "reveal ~3 users ~4 holdings",
        "other users .4 reveal",
        "what .6 other users .4 holdings",
        "what .4 'richest|wealthiest|biggest|ricos|riches|reichsten .2 users",
        "users .2 'richest|wealthiest|ricos|riches|reichsten",
        "'richest|wealthiest .2 users",
        asking_is_fine=True,
    ),
    *_words(
        "conversation of another user",
        "other people's data",
        75,
        "'user|person|customer|client|trader|one prior 'me",
        "reveal .6 'previous|last|prior|other|another 'user|customer|client|session|person",
        "what .4 'previous|last|prior 'user|customer|client|person",
    ),
    *_words(
        "data of a colleague",
        "other people's data",
        60,
        "reveal .5 kin .5 holdings",
        "reveal .5 holdings .4 kin",
        "what .5 kin .4 'hold|holds|own|owns|buy|bought|have|has|holdings",
    ),
    *_words(
        "change the user id",
        "other people's data",
        75,
        "mark|turn|send|be|trade .4 'user|thread|account|session|userid 'id",
        "'user|thread|session 'id .3 as|'another",
    ),
    # role play
    *_words(
        "new persona",
        "role play",
        35,
        "you be nowon",
        "nowon .3 you .2 be",
        "pretend ~2 you be",
        "pretend .2 'to 'be",
        "be 'as .3 model",
        "'want|must|need|will .2 be 'as|like|in",
        "'role 'of",
        "you .1 be .4 'named|called",
        "nowon .2 you .2 'role",
        "nowon .1 you",
        "be 'as",
        "persona .4 'named|called",
    ),
    *_words(
        "no restrictions",
        "role play",
        45,
        "not .3 limits",
        "free .2 'of|from .4 limits",
        "not ~2 follow ~3 rules|limits",
        "'regardless .4 limits",
        "evade|drop .2 'openai",
        "'broken|break .1 free",
        "not .1 'care|considers|fuck|bound|abide|confined .4 limits|bad",
        "not|'devoid|lacks .3 limits .2 limits",
    ),
    *_words("unrestricted", "role play", 35, "persona"),
    *_words(
        "never refuse",
        "role play",
        40,
        "not .3 refuse",
        "always .2 comply .2 all",
        "not .2 'say .1 'no|can't|sorry|cannot",
        "always .1 comply",
    ),
    *_words(
        "do anything now",
        "role play",
        70,
        "'do 'anything 'now",
        "'dan 'mode",
        "modename mode",
        "mode .1 'enabled|activated|unlocked",
        "'jailbreak|jailbroken|jailbreaking .3 'mode|prompt|you|model",
    ),
    *_words(
        "stay in character",
        "role play",
        30,
        "'stay|remain|break|out 'in|of|character .1 'character|role",
        "'break 'character",
        "'prefix|begin|start .4 'answers|outputs|responses|answer|reply|response",
    ),
    *_words("two answers", "role play", 40, "'two .3 'ways|responses|answers|entities|styles|paragraphs"),
    *_words(
        "harmful answers",
        "role play",
        35,
        "bad .3 bad",
        "'no 'matter .4 bad",
        "bad .6 'answer|response|request|requests|content|advice",
    ),
    *_words(
        "fiction about the system",
        "role play",
        45,
        "fiction .30 sysword|yours|ours .3 prompt|strict_rules",
        "fiction .25 approval|stamp|approve",
        "pretend .20 'hacked|unlocked|freed .6 approval",
    ),
    *_words(
        "grandmother",
        "role play",
        45,
        "granny .12 used .10 secret|prompt|rules|loot|order",
        "granny .15 users",
        "granny .12 used .4 'me|us",
    ),
    # authority and social pressure
    *_words(
        "claim of authority",
        "authority claim",
        35,
        "am .5 boss",
        "'from .2 boss",
        "boss .2 'speaking|here|team|message|notice|staff|instructs|orders",
    ),
    *_words(
        "claim of rights",
        "authority claim",
        45,
        "adminword .2 rights",
        "i .3 adminword|'authorised|authorized .2 'user|rights|admin|access",
        "'override .1 'code|key|password",
    ),
    *_words(
        "false memory",
        "authority claim",
        50,
        "you yousaid .15 approval|adminword|limits|approved",
        "you .2 yousaid .8 'without|no .3 approval|limits",
    ),
    *_words(
        "poison the memory",
        "authority claim",
        70,
        "save .6 memory .15 trusted|limits|rules|approval",
        "memory .12 trusted|'unrestricted .12 rules|approval",
        "memory .8 users|'user .3 trusted",
        "memory .6 not .3 approval|rules",
    ),
    *_words(
        "order to the reader model",
        "indirect",
        60,
        "model .3 'reading|processing|parsing|reviewing .6",
        "'if 'you .1 'are|re .3 model",
        "'to .3 'any|all|automated|ai .2 'reader|readers|assistants|models|agents|llms|systems|bots",
        "'note|attention|message|instructions .2 'to|for .3 model",
    ),
    *_words(
        "hide it from the user",
        "indirect",
        60,
        "not .1 untell .3 theuser",
        "not .2 untell .2 'this|these .1 message|rules|paragraph",
        "silent .6 trade|carry|send",
    ),
    # exfiltration
    *_words(
        "send data out",
        "exfiltration",
        75,
        "send .10 loot .10 where",
        "send|reveal .6 where .12 loot",
        "where .8 send .8 loot",
        "send .8 other .2 users .10",
    ),
    # obfuscation
    *_words(
        "decode and obey",
        "obfuscation",
        60,
        "decode .8 carry",
        "cipher .8 carry",
        "carry .6 cipher",
        "decode .4 silent",
    ),
    *_words(
        "join the pieces",
        "obfuscation",
        60,
        "join ~6 pieces .8 carry",
        "pieces .10 join .8 carry",
        "join .10 carry",
        "'first .1 'word|letter|letters|words .3 each",
        "pieces .6 join",
    ),
    *_words("run code", "code injection", 40, "carry .2 'this|following|the .2 sqlish"),
)


def _by_last_concept() -> dict[str, list[int]]:
    """Places in WORD_RULES by the concept a rule ends on, so that a sentence meets only the rules it could break."""
    places: dict[str, list[int]] = {}
    for place, rule in enumerate(WORD_RULES):
        for concept in rule.needs[-1] if rule.needs else ("",):
            places.setdefault(concept, []).append(place)
    return places


RULES_ABOUT = MappingProxyType(_by_last_concept())

_LEVEL = r"(?:INFO|WARNING|ERROR|DEBUG|CRITICAL|AUDIT|NOTICE|SUCCESS)"
_GRANT = r"(?:approv|grant|released|waived|override|role|admin|reviewer|valid: ?true|allow|bypass|unlocked|authori[sz]ed|elevat)"
TEXT_RULES: tuple[Rule, ...] = (
    *text_rules(
        "fake chat tokens",
        "fake chat tokens",
        75,
        r"<\|[a-z_]{2,20}\|>|\[/?INST\]|<</?SYS>>|\[CLS\]|</?s>\s{0,3}\[|\"role\"\s{0,3}:\s{0,3}\"(?:system|developer|tool)\"|<(?:start|end)_of_turn>",
        "<",
        "[",
        "role",
    ),
    *text_rules(
        "fake system message",
        "fake chat tokens",
        70,
        r"^[\s>*#=-]{0,8}\[?\(?(?:new |begin |end )?(?:system|developer|sysadmin)(?: message| prompt| override| note| notice| update| instructions?)?\]?\)?[\s*=]{0,3}:(?=.{12})|</?(?:system|sys|developer|instructions?|assistant|tool_?(?:result|response|output)|admin)(?: [^<>\n]{0,80})?>|\[/?system(?: [^\]\n]{0,30})?\]|^#{2,4} ?(?:system|instruction|response)\b|(?:begin|end|start) (?:of )?system (?:message|prompt)|system override",
        "system",
        "developer",
        "instruction",
        "tool",
        "admin",
        "assistant",
        "sysadmin",
        "response",
    ),
    *text_rules(
        "fake dialogue",
        "fake chat tokens",
        40,
        r"^[\s#>*]{0,4}(?:assistant|ai|bot|agent)\s?\*{0,2}:.{0,400}\n(?:.{0,400}\n){0,3}?[\s#>*]{0,4}(?:user|human|me|customer|assistant)\s?\*{0,2}:",
        "assistant",
        "agent",
        "bot",
        "ai:",
    ),
    *text_rules(
        "fake approval in a dialogue",
        "fake chat tokens",
        45,
        r"^[\s#>*]{0,4}(?:assistant|ai|bot|agent|tool|reviewer|approver|supervisor|compliance)\s?\*{0,2}:.{0,200}(?:approved|without (?:the )?approval|no (?:further )?(?:check|approval)|unlocked|authori[sz]ed)",
        "approv",
        "unlocked",
        "check",
        "authori",
    ),
    *text_rules(
        "policy block",
        "fake chat tokens",
        75,
        r"(?:approv\w{0,10}|requires?_human|human\w{0,10}|safety\w{0,12}|guardrails?|restrictions?|filters?|supervision|confirm\w{0,10}|secrecy|censorship|limits?_?check\w{0,6})[\"'\]]{0,2}\s{0,3}(?:=|:|=>)\s{0,3}[\"']?(?:none|never|off|false|disabled?|skip\w{0,4}|bypass\w{0,3}|no|0|null|auto\w{0,8}|not[ _-]required)\b|\b(?:approved|pre_?approved|skip\w{0,12}|bypass\w{0,12}|is_admin|override|force|unrestricted|auto_?approve)[\"']?\s{0,3}[=:]\s{0,3}[\"']?(?:true|1|yes|on)\b",
        "=",
        ":",
    ),
    *text_rules(
        "policy file",
        "fake chat tokens",
        70,
        r"\b(?:allowed|blocked|forbidden|disallowed)[-_ ](?:modes?|responses?|strings?|topics|actions|outputs?|phrases)\b|policy[-_]update|<(?:policy|rules|interaction-config|config|override)\b[^>\n]{0,60}(?:override|priority|author|version)|\[policy\]|(?:mode|role|identity|user|access)s?[\"']?\s{0,2}[=:]\s{0,2}[\"']?(?:unrestricted|god|admin|root|superuser|developer)\b",
        "-",
        "_",
        "polic",
        "<",
        "=",
        ":",
    ),
    *text_rules(
        "image or link with data",
        "exfiltration",
        75,
        r"(?:https?://|www\.)[^\s)\"]{1,120}[?&/=#](?:[^\s)\"]{0,60}=)?(?:[{<\[$]{1,2}\s?(?:conversation|chat|history|prompt|balance|secret|data|account|portfolio|positions|context|messages?|password|user|all)|(?-i:KEY|DATA|SECRET|PROMPT|BALANCE|TOKEN|CONVERSATION|HISTORY|PASSWORD|POSITIONS)\b)",
        "http",
        "www",
    ),
    *text_rules(
        "image from a host",
        "exfiltration",
        35,
        r"!\[[^\]\n]{0,80}\]\(\s{0,3}(?:https?:)?//|<img\b[^>\n]{0,200}src",
        "![",
        "<img",
    ),
    *text_rules(
        "sql injection",
        "code injection",
        70,
        r"\bunion\s{1,5}(?:all\s{1,5})?select\b|\b(?:drop|truncate|alter)\s{1,5}table\b|\b(?:delete\s{1,5}from|insert\s{1,5}into)\s{1,5}\w|\bupdate\s{1,5}\w{1,40}\s{1,5}set\s{1,5}\w{1,40}\s{0,3}=|['\")]\s{0,5}(?:or|and)\s{1,5}['\"]?\w{1,20}['\"]?\s{0,3}(?:=|like|<>)\s{0,3}['\"]?\w|;\s{0,5}--|\b(?:pg_sleep|xp_cmdshell|information_schema|pg_catalog|sqlite_master)\b",
        "select",
        "table",
        "delete",
        "insert",
        "update",
        "--",
        "'or",
        "' or",
        "' and",
        '" or',
        '" and',
        ") or",
        ") and",
        "pg_",
        "schema",
        "sqlite",
        "xp_",
    ),
    *text_rules(
        "shell injection",
        "code injection",
        70,
        r"/etc/(?:passwd|shadow|hosts)|\brm\s{1,3}-[rf]{1,2}\b|\$\((?:curl|wget|cat|id|whoami|env|ls|rm|nc)\b|`(?:curl|wget|cat|id|whoami|env|rm|ls)\b[^`\n]{0,80}`|\|\s{0,3}(?:ba|z)?sh\b|(?:;|&&|\|)\s{0,3}(?:cat|wget|nc|whoami|printenv|rm|env)\b|\.\./\.\./|file:///|/proc/self",
        "/etc",
        "rm ",
        "$(",
        "`",
        "|",
        ";",
        "&&",
        "../",
        "file:",
        "/proc",
    ),
    *text_rules(
        "python injection",
        "code injection",
        70,
        r"__(?:import|class|globals|builtins|subclasses|mro|reduce)__|\bos\.(?:system|popen|environ|exec\w{0,3}|remove)|\bsubprocess\.\w|\b(?:eval|exec)\(|\bopen\(\s{0,3}['\"](?:/|\.env|settings)|pickle\.loads|manage\.py\s|\bsettings\.(?:secret|databases)",
        "__",
        "os.",
        "subprocess",
        "eval(",
        "exec(",
        "open(",
        "pickle",
        "manage.py",
        "settings.",
    ),
    *text_rules(
        "template injection",
        "code injection",
        70,
        r"\{\{[^{}\n]{0,80}(?:\d\s?\*\s?\d|config|self|request|settings|class|import|secret|user|env)[^{}\n]{0,80}\}\}|\{%[^%\n]{1,80}%\}|\$\{(?:jndi|env|sys|java|process|\d)|<%=?[^%\n]{1,80}%>|#\{\d",
        "{{",
        "{%",
        "${",
        "<%",
        "#{",
    ),
    *text_rules(
        "script injection",
        "code injection",
        70,
        r"<script\b|<iframe\b|<svg\b[^>\n]{0,80}on\w{2,12}\s{0,2}=|<\w{1,10}\b[^>\n]{0,80}\bon(?:error|load|click|mouseover|focus)\s{0,2}=|javascript:|document\.(?:cookie|location)|data:text/html",
        "<",
        "javascript:",
        "document.",
        "data:",
    ),
    *text_rules(
        "forged log line",
        "log forging",
        75,
        rf"^.{{0,40}}\b{_LEVEL}\b.{{0,120}}{_GRANT}|^\s{{0,3}}\[?\d{{4}}-\d\d-\d\d[T ,]\d\d:\d\d.{{0,160}}{_GRANT}|\b(?:USER_ACTION|SAFETY_VIOLATION|VALIDATION|APPROVAL)\s{{0,2}}\|\s{{0,2}}(?:Action|Type)|(?:%0d|%0a|\\r|\\n|\\u000a)\s{{0,3}}\[?(?:{_LEVEL}\b|\d{{4}}-\d\d-\d\d)",
        "info",
        "warn",
        "error",
        "debug",
        "critical",
        "audit",
        "notice",
        "success",
        "|",
        "%0",
        "\\",
        "-",
    ),
    *text_rules(
        "forged status line",
        "log forging",
        45,
        rf"^\s{{0,3}}\[?(?:\d{{4}}-\d\d-\d\d[T ,]\d\d:\d\d[^\n]{{0,30}})?\b{_LEVEL}[:|\s\]][^\n]{{0,120}}\b(?:status\s?[=:]|filled|executed|order)\b",
        "info",
        "warn",
        "error",
        "audit",
        "status",
    ),
    *text_rules(
        "instructions in markup",
        "indirect",
        60,
        r"<!--[^>]{0,200}\b(?:assistant|ai|llm|model|instruction|agent|ignore)|display:\s?none[^<]{0,80}>[^<]{0,200}\b(?:you|assistant|model|instruction)|(?:assistant|llm|\bai|agent)[_-]?(?:instructions?|directive|command|note)\"?\s{0,2}[:=]|(?://|#|--|/\*)\s{0,3}(?:todo|note)?.{0,40}\b(?:llm|ai (?:assistant|agent|model|reviewer)|language model)",
        "<!--",
        "none",
        "assistant",
        "llm",
        "ai",
        "agent",
        "model",
    ),
)

SQUASHED = re.compile(  # letter-spaced text has lost its word borders
    r"(?:ignore|disregard|forget|bypass|skip|disable|override|reveal|show|print|repeat)"
    r"(?:all|the|your|any|my|me|every|previous|prior|above|system|hidden|safety|secret|human){1,5}"
    r"(?:instruction|rules|prompt|approval|guideline|check|message|restriction)"
)

# ---- how a sentence is cut, and what makes it a question

PAUSES = ",:\n\"'“”«»、，：([{>*-"
QUESTION_MARKS = "?？؟"
QUESTION_OPENERS = frozenset(
    """who whom whose what when where which why how is are was were do does did can could will would should may might has have
    if and but so wer wie was wann warum wo kann können darf ist sind muss quién qué cómo cuándo puede puedo es qui que
    comment quand pourquoi est peut puis как кто что когда почему можно could am""".split()
)
TWINS = MappingProxyType(
    str.maketrans(
        "аеорсухіјѕԁһӏԛԝвкмнтгьαοριντυκχεβηγωѵєɑɡ",
        "aeopcyxijsdhlqwbkmhtrbaopivtukxebnywveag",
    )
    | str.maketrans("АВЕКМНОРСТУХІЈЅΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEKMHOPCTYXIJSABEZHIKMNOPTYX")
)
MORSE_LETTERS = MappingProxyType(
    dict(
        zip(
            ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --..".split(),
            "abcdefghijklmnopqrstuvwxyz",
            strict=True,
        )
    )
)
IBAN_LENGTHS = MappingProxyType(
    {
        country: int(length)
        for length, countries in {
            "15": "NO",
            "16": "BE",
            "18": "DK FI FO GL NL",
            "19": "MK SI",
            "20": "AT BA EE KZ LT LU XK",
            "21": "CH HR LI LV",
            "22": "BG BH CR DE GB GE IE ME RS",
            "23": "AE GI IL IQ TL",
            "24": "AD CZ ES MD PK RO SA SE SK TN VG",
            "25": "PT",
            "26": "IS TR",
            "27": "FR GR IT MC MR SM",
            "28": "AL AZ BY CY DO GT HU LB PL SV",
            "29": "BR EG PS QA UA",
            "30": "JO KW MU",
            "31": "MT",
            "33": "RU",
        }.items()
        for country in countries.split()
    }
)
CARD_ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]|2[2-7])\d{14}|3[47]\d{13}|3[0689]\d{12}|35\d{14}|6(?:011|5\d\d|4[4-9]\d)\d{12}|62\d{14,17}"
)
SECRETS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("private key", re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|\Z)", re.DOTALL)),
    ("token", re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?")),
    ("token", re.compile(r"\bbearer\s{1,3}(?=[^\s]{0,200}\d)[\w.~+/=-]{16,}", re.IGNORECASE)),
    ("api key", re.compile(r"\b(?:sk|pk|rk)[-_][\w-]{16,}|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\b(?:gh[pousr]_|github_pat_)\w{20,}|\bxox[a-z]-[\w-]{10,}|\bAIza[\w-]{30,}|\bglpat-[\w-]{16,}|\bhf_\w{20,}|\bgsk_\w{20,}")),
    ("api key", re.compile(r"\b(?:api|secret|access|client|private|signing)[ _-]?(?:key|secret|token)(?:[ _-]id)?\b[\"'`*]{0,3}\s{0,3}(?:[:=]|\bis\b(?=\s{1,3}\S{0,60}\d))\s{0,3}[\"'`*]{0,3}(?!\[redacted)[^\s\"'`,;]{6,}", re.IGNORECASE)),
    ("password", re.compile(r"\b(?:password|passwd|pwd|passphrase|passwort|contraseña|mot de passe)\b[\"'`*]{0,3}\s{0,3}(?:[:=]|\bis\b(?=\s{1,3}\S{0,60}\d))\s{0,3}[\"'`*]{0,3}(?!\[redacted)[^\s\"'`,;]{4,}", re.IGNORECASE)),
    ("password", re.compile(r"\b\w{2,12}://[^\s:/@]{1,60}:[^\s@/]{3,80}@[^\s]{1,200}")),
    ("ssn", re.compile(r"(?<![\w.-])(?!000|666|9\d\d)\d{3}-(?!00)\d\d-(?!0000)\d{4}(?![\w-])")),
    ("ssn", re.compile(r"\b(?:ssn|social security (?:number|no\.?))\b[\s:=#]{0,4}(?:is )?\d{3}[ -]?\d\d[ -]?\d{4}\b", re.IGNORECASE)),
)  # fmt: skip
ROT13_STEMS = ("vafgehpgv", "cebzcg", "nccebi", "ehyrf", "vtaber", "qvfertneq", "flfgrz", "olcnff")
MIRROR_STEMS = ("snoitcurtsn", "tpmorp", "lavorppa", "selur", "erongi", "drager", "metsys", "ssapyb")
FOREIGN = re.compile(r"[Ͱ-ϿЀ-ԯ]")
OWN_LETTER = re.compile(r"[бдёжзийлпфцчшщъыэюяδζθλμξπσςφψ]", re.IGNORECASE)
WORD = re.compile(
    r"(?:[^\W_]|[\u0900-\u0963\u0966-\u0dff\u064b-\u065f])+|[.!?;。！？；؟।]+(?=\s|$|[\"'”’»)」』])|[。！？；]|\n\s*\n|[,:\n\"'“”«»、，：(\[{>*-]"
)
REQUEST = re.compile(r" (?:/[^ :]*:)?(?:please|just|now|this|me|bitte|mal)(?= |$)")
QUOTED = re.compile(r"[\"“'‘«`]([^\"“”'’»`\n]{1,80})[\"”'’»`]")
